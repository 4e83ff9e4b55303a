extension LuaPreludeText {
  /// Text of the runtime's Lua code: `kong.cache` and `kong.vault`. Source: Kong fact, pdk §6.
  static let cache = #"""
    -- kong.cache: values of one plugin version. Each event loop keeps its own (level 1), over what all of them share
    -- (level 2); a number that all share goes up when something is forgotten, so that no loop gives it out any more.
    providers["kong.cache"] = function(_, scope)
      local shared_name = "cache:" .. tostring(scope)
      local shared_get, shared_set = internal["shared.get"], internal["shared.set"]
      local shared_delete, shared_increment = internal["shared.delete"], internal["shared.incr"]
      local items, count, now, pending = {}, 0, strict["ngx.now"], {}
      local cache = {}
      local generation_key = "#generation"
      local function generation() return shared_get(shared_name, generation_key) or 0 end
      local function need_key(key)
        if type(key) ~= "string" then raise("key must be a string") end
      end
      local function remember(key, value, lifetime, grace)
        if items[key] == nil then
          if count >= 10000 then items, count = {}, 0 end
          count = count + 1
        end
        items[key] = {value = value, expires = lifetime and lifetime > 0 and now() + lifetime or nil, grace = grace,
          generation = generation()}
      end
      -- Plain data only is shared: 0 as it is, 1 as JSON, 2 nothing (a remembered nil).
      local function share(key, value, lifetime)
        local kind = type(value)
        if kind == "table" then
          local ok, text = pcall(json.encode, value)
          if ok then
            shared_set(shared_name, "=" .. key, text, lifetime, 1)
          else
            shared_delete(shared_name, "=" .. key)
          end
        elseif value == nil then
          shared_set(shared_name, "=" .. key, false, lifetime, 2)
        elseif kind == "string" or kind == "number" or kind == "boolean" then
          shared_set(shared_name, "=" .. key, value, lifetime, 0)
        end
      end
      local function read_shared(key)
        local value, kind = shared_get(shared_name, "=" .. key)
        if value == nil then return false end
        if kind == 1 then return pcall(body_json.decode, value) end
        if kind == 2 then return true, nil end
        return true, value
      end
      local function fresh(key)
        local item = items[key]
        if item and item.generation == generation() and (not item.expires or item.expires > now()) then return item end
      end
      local function remaining(key)
        local left = internal["shared.ttl"](shared_name, "=" .. key)
        return left and left > 0 and left or nil
      end
      local function lookup(key, options)
        local item = fresh(key)
        if item then return true, item.value, 1 end
        local found, value = read_shared(key)
        if not found then return false end
        remember(key, value, remaining(key), options and options.resurrect_ttl)
        return true, value, 2
      end
      local function make(key, options, callback, ...)
        local results = pack(pcall(callback, ...))
        local value, failure, lifetime = results[2], results[3], results[4]
        if not results[1] then value, failure = nil, "callback threw an error: " .. tostring(results[2]) end
        if value == nil and failure ~= nil then
          local stale = items[key]
          local grace = options.resurrect_ttl or (stale and stale.grace)
          if stale and stale.value ~= nil and grace and grace > 0 then
            remember(key, stale.value, grace, grace)
            return stale.value, failure, 4
          end
          return nil, failure
        end
        lifetime = tonumber(lifetime)
        if not lifetime then if value == nil then lifetime = options.neg_ttl else lifetime = options.ttl end end
        if lifetime and lifetime < 0 then return value, nil, 3 end
        share(key, value, lifetime)
        remember(key, value, lifetime, options.resurrect_ttl)
        return value, nil, 3
      end
      local function check_options(options)
        if options == nil then return {} end
        if type(options) ~= "table" then raise("opts must be a table") end
        for _, name in ipairs {"ttl", "neg_ttl", "resurrect_ttl"} do
          local time = options[name]
          if time ~= nil and (type(time) ~= "number" or time < 0) then
            raise("opts." .. name .. " must be a number >= 0")
          end
        end
        return options
      end
      -- One callback at a time for a key; who comes meanwhile waits for what it gives.
      local function make_alone(key, options, callback, ...)
        if pending[key] then
          local token = new_token()
          pending[key][token] = true
          wait_for_signal(token, 60)
          local found, value, level = lookup(key, options)
          if found then return value, nil, level end
        end
        pending[key] = pending[key] or {}
        local results = pack(make(key, options, callback, ...))
        local waiting = pending[key]
        pending[key] = nil
        for token in pairs(waiting or {}) do wake(token) end
        return unpack(results, 1, results.n)
      end
      function cache.get(_, key, options, callback, ...)
        need_key(key)
        options = check_options(options)
        if callback ~= nil and type(callback) ~= "function" then raise("callback must be a function") end
        local found, value, level = lookup(key, options)
        if found then return value, nil, level end
        if callback == nil then return nil end
        return make_alone(key, options, callback, ...)
      end
      function cache.get_bulk(_, bulk, options)
        if type(bulk) ~= "table" then raise("bulk must be a table") end
        local results, last = {}, bulk.n or math.floor((#bulk + 3) / 4)
        for i = 1, last do
          local from, to = (i - 1) * 4 + 1, (i - 1) * 3 + 1
          results[to], results[to + 1], results[to + 2] =
            cache.get(nil, bulk[from], bulk[from + 1] or options, bulk[from + 2], bulk[from + 3])
        end
        results.n = last * 3
        return results
      end
      function cache.probe(_, key)
        need_key(key)
        local found, value = lookup(key)
        if not found then return nil end
        return remaining(key) or -1, nil, value
      end
      local function forget(_, key)
        need_key(key)
        items[key] = nil
        shared_delete(shared_name, "=" .. key)
        shared_increment(shared_name, generation_key, 1, 0)
      end
      cache.invalidate, cache.invalidate_local = forget, forget
      function cache.safe_set(_, key, value)
        forget(nil, key)
        share(key, value)
        remember(key, value)
        return true
      end
      function cache.renew(_, key, options, callback, ...)
        need_key(key)
        if type(callback) ~= "function" then raise("callback must be a function") end
        local results = pack(make_alone(key, check_options(options), callback, ...))
        shared_increment(shared_name, generation_key, 1, 0)
        if items[key] then items[key].generation = generation() end
        return unpack(results, 1, results.n)
      end
      function cache.purge()
        items, count = {}, 0
        local last = generation()
        internal["shared.flush_all"](shared_name)
        shared_set(shared_name, generation_key, last + 1)
        return true
      end
      return cache
    end

    -- kong.vault: references to secrets; the vault `env` is the environment of the process.
    providers["kong.vault"] = function()
      local vault = {}
      local function is_reference(text)
        return type(text) == "string" and sub(text, 1, 9) == "{vault://" and sub(text, -1) == "}"
      end
      vault.is_reference = is_reference
      local function parse(text)
        local function failed(sentence) return nil, sentence .. " [" .. tostring(text) .. "]" end
        if not is_reference(text) then return failed("not a reference") end
        local rest, version = sub(text, 10, -2):match("^([^#]*)#?(.*)$")
        local path, query = rest:match("^([^?]*)%??(.*)$")
        local name, slash, resource = path:match("^([^/]*)(/?)(.*)$")
        if name == "" then return failed("reference url is missing host") end
        if slash == "" then return failed("reference url is missing path") end
        if resource == "" then return failed("reference url has empty path") end
        local parsed = {name = name}
        if version ~= "" then
          parsed.version = tonumber(version)
          if not parsed.version then return failed("reference url has invalid version") end
        end
        if query ~= "" then parsed.config = strict["ngx.decode_args"](query) end
        local head, key = resource:match("^(.+)/([^/]+)/?$")
        parsed.resource = strict["ngx.unescape_uri"](head or resource:match("^(.-)/?$"))
        parsed.key = key and strict["ngx.unescape_uri"](key) or nil
        return parsed
      end
      vault.parse_reference = parse
      local function get(reference)
        local parsed, failure = parse(reference)
        if not parsed then return nil, failure end
        local function failed(sentence) return nil, sentence .. " [" .. reference .. "]" end
        if parsed.name ~= "env" then return failed("vault not found (" .. parsed.name .. ")") end
        local prefix = parsed.config and parsed.config.prefix
        local name = gsub((type(prefix) == "string" and prefix or "") .. parsed.resource, "-", "_"):upper()
        local value = internal["vault.variable"](name)
        if value == nil then return failed("could not get value from external vault (no value found)") end
        if not parsed.key then return value end
        local ok, members = pcall(json.decode, value)
        if not ok or type(members) ~= "table" then return failed("unable to json decode value received from vault") end
        local member = members[parsed.key]
        if type(member) ~= "string" then return failed("subfield " .. parsed.key .. " not found in JSON secret") end
        return member
      end
      vault.get = get
      function vault.update(options)
        if type(options) ~= "table" then raise("options must be a table") end
        local references, updated = options["$refs"], copy(options)
        if type(references) == "table" then
          for name, reference in pairs(references) do
            if type(reference) == "string" then updated[name] = get(reference) or "" end
          end
        end
        return updated
      end
      vault["try"] = function(callback, options)
        if type(callback) ~= "function" then raise("callback must be a function") end
        local results = pack(callback(options))
        if results[1] or type(options) ~= "table" or options["$refs"] == nil then
          return unpack(results, 1, results.n)
        end
        return callback(vault.update(options))
      end
      return vault
    end

    """#
}
