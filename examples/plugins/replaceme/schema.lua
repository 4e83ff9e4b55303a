-- Configuration of `replaceme`: which word to replace, and by what.
return {
  name = "replaceme",
  fields = {
    { config = {
        type = "record",
        fields = {
          { target_word = {
              description = "The word that is replaced wherever it occurs in the request body.",
              type = "string",
              required = true,
          }, },
          { replacement_word = {
              description = "The word that takes its place.",
              type = "string",
              required = true,
          }, },
        },
    }, },
  },
}
