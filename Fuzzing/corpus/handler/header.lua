local H = {PRIORITY = 10, VERSION = "1.0.0"}
function H:access(conf)
  local value = kong.request.get_header(conf.header or "X-Probe")
  if not value then return kong.response.exit(403, {message = "no"}) end
  kong.service.request.set_header("X-Out", value .. "!")
end
return H
