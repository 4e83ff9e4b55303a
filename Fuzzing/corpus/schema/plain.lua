local typedefs = require "kong.db.schema.typedefs"
return {
  name = "probe",
  fields = {
    {consumer = typedefs.no_consumer}, {protocols = typedefs.protocols_http},
    {config = {type = "record", fields = {
      {header = {type = "string", required = true, default = "X-Probe", len_min = 1, match = "^[%w-]+$"}},
      {limit = {type = "integer", between = {0, 100}, default = 3}},
      {mode = {type = "string", one_of = {"a", "b"}}},
      {tags = {type = "array", elements = {type = "string"}}},
      {map = {type = "map", keys = {type = "string"}, values = {type = "number", gt = 0}}},
    }}},
  },
}
---
{"header":"X-A","limit":5,"mode":"a","tags":["x","y"],"map":{"k":1.5}}