-- `reflector` has nothing to configure.
return {
  name = "reflector",
  fields = {
    { config = {
        type = "record",
        fields = {},
    }, },
  },
}
