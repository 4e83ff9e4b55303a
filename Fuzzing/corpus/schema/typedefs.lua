local t = require("kong.db.schema.typedefs")
local redis = require("kong.tools.redis.schema")
return {name = "probe", fields = {{route = t.no_route}, {config = {type = "record", fields = {
  {url = t.url({required = true})}, {ip = t.ip_or_cidr}, {port = t.port}, {host = t.host}, {redis = redis.config_schema},
  {path = t.path}, {uuid = t.uuid}, {methods = t.methods}, {headers = t.headers}, {ts = t.timeout({default = 100})},
  {pattern = {type = "string", is_regex = true}}, {start = {type = "string", starts_with = "/"}}}}}}}
---
{"url":"http://a.test:80/x","ip":"10.0.0.0/8","port":80,"host":"a.test","path":"/a","methods":["GET"],"pattern":"^a+$"}