-- Replaces every occurrence of a word in the request body before it goes to the upstream.
local replaceme = {
  PRIORITY = 800,
  VERSION = "1.0.0",
}

-- Both words are taken as they are: in the target, characters that mean something in a Lua pattern are escaped with
-- `%`, and in the replacement so is `%` itself.
local function replace_all(text, target, replacement)
  local pattern = target:gsub("%W", "%%%0")
  local literal = replacement:gsub("%%", "%%%%")
  return text:gsub(pattern, literal)
end

function replaceme:access(config)
  local body, err = kong.request.get_raw_body()
  if not body then
    kong.log.err("the request body cannot be read: ", err)
    return kong.response.error(413, "The request body is too large to be changed")
  end

  local changed, count = replace_all(body, config.target_word, config.replacement_word)
  if count > 0 then
    kong.service.request.set_raw_body(changed)
    kong.log.debug("replaced ", count, " occurrences")
  end
end

return replaceme
