local cjson = require "cjson.safe"
local H = {PRIORITY = -5, VERSION = "0.1"}
function H:header_filter() kong.response.set_header("X-A", "b") kong.response.clear_header("Content-Length") end
function H:body_filter()
  local body = kong.response.get_raw_body()
  if body then kong.response.set_raw_body(cjson.encode({body = body, n = #body})) end
end
function H:log() kong.log.notice("took ", ngx.now(), " ", kong.request.get_path()) end
return H
