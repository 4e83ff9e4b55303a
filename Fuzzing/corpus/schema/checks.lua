return {name = "probe", fields = {{config = {type = "record", fields = {
  {a = {type = "string", referenceable = true, encrypted = true}}, {b = {type = "set", elements = {type = "integer"}}},
  {inner = {type = "record", fields = {{x = {type = "boolean", default = true}}, {y = {type = "number", ne = 1}}}}},
  {old = {type = "string", deprecation = {message = "gone", removal_in_version = "4.0"}}},
}, shorthand_fields = {{short = {type = "string", translate_backwards = {"inner", "x"}}}},
  entity_checks = {{at_least_one_of = {"a", "b"}}, {mutually_required = {"a", "inner.x"}},
    {conditional = {if_field = "a", if_match = {eq = "on"}, then_field = "b", then_match = {required = true}}}}}}}}
---
{"a":"on","b":[1,2,2],"inner":{"x":false,"y":2}}