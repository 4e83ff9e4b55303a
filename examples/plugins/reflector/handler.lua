-- Answers every request with its own body, as the plugins that ran before have left it.
local reflector = {
  PRIORITY = -10,
  VERSION = "1.0.0",
}

function reflector:access()
  local body, err = kong.request.get_raw_body()
  if not body then
    kong.log.err("the request body cannot be read: ", err)
    return kong.response.error(413, "The request body is too large to be reflected")
  end

  return kong.response.exit(200, body, {
    ["Content-Type"] = kong.request.get_header("content-type"),
  })
end

return reflector
