extension LuaPreludeText {
  /// Text of the runtime's Lua code: further modules of the strict list, and those that are refused with a sentence.
  /// Source: Kong fact, pdk §8.
  static let libraries = #"""
    do
    -- resty.lrucache: the least recently used entries go first.
    modules["resty.lrucache"] = function()
      local now = strict["ngx.now"]
      local function new(size)
        size = tonumber(size)
        if not size or size < 1 then return nil, "size too small" end
        size = math.min(size, 100000)
        -- A ring of entries from the newest to the oldest, whose head is `ring`.
        local ring, entries, count = {}, {}, 0
        ring.after, ring.before = ring, ring
        local function unlink(entry) entry.before.after, entry.after.before = entry.after, entry.before end
        local function link(entry)
          entry.before, entry.after = ring, ring.after
          ring.after.before, ring.after = entry, entry
        end
        local cache = {}
        function cache.get(_, key)
          local entry = entries[key]
          if not entry then return nil end
          unlink(entry)
          link(entry)
          if entry.expires and entry.expires <= now() then return nil, entry.value, entry.flags end
          return entry.value, nil, entry.flags
        end
        function cache.set(_, key, value, lifetime, flags)
          if key == nil then return end
          local entry = entries[key]
          if entry then
            unlink(entry)
          else
            if count >= size then
              local oldest = ring.before
              unlink(oldest)
              entries[oldest.key] = nil
              count = count - 1
            end
            entry = {key = key}
            entries[key] = entry
            count = count + 1
          end
          entry.value, entry.flags = value, tonumber(flags) or 0
          entry.expires = lifetime and now() + lifetime or nil
          link(entry)
        end
        function cache.delete(_, key)
          local entry = entries[key]
          if not entry then return end
          unlink(entry)
          entries[key] = nil
          count = count - 1
        end
        function cache.count() return count end
        function cache.capacity() return size end
        function cache.get_keys(_, limit, result)
          local keys, place, entry = result or {}, 0, ring.after
          while entry ~= ring and (not limit or limit <= 0 or place < limit) do
            place = place + 1
            keys[place] = entry.key
            entry = entry.after
          end
          return keys
        end
        function cache.flush_all()
          ring.after, ring.before = ring, ring
          entries, count = {}, 0
        end
        return cache
      end
      return {new = new}
    end
    modules["resty.lrucache.pureffi"] = modules["resty.lrucache"]

    -- resty.lock: one holder for each key among the requests of an event loop.
    modules["resty.lock"] = function()
      local held = {}
      return {
        new = function(_, _, options)
          options = options or {}
          local timeout, lifetime = tonumber(options.timeout) or 5, tonumber(options.exptime) or 30
          local key, own
          local lock = {}
          function lock.lock(_, wanted)
            if wanted == nil then return nil, "nil key" end
            if key then return nil, "locked" end
            wanted = tostring(wanted)
            local start, now = strict["ngx.now"](), strict["ngx.now"]
            while held[wanted] and held[wanted].expires > now() do
              local left = timeout - (now() - start)
              if left <= 0 then return nil, "timeout" end
              local token, holder = new_token(), held[wanted]
              holder.waiting[#holder.waiting + 1] = token
              wait_for_signal(token, math.min(left, holder.expires - now()))
            end
            own = {expires = now() + lifetime, waiting = {}}
            held[wanted], key = own, wanted
            return now() - start
          end
          function lock.unlock()
            if not key then return nil, "unlocked" end
            if held[key] == own then held[key] = nil end
            key = nil
            for _, token in ipairs(own.waiting) do if wake(token) then break end end
            return 1
          end
          function lock.expire(_, time)
            if not key then return nil, "unlocked" end
            own.expires = strict["ngx.now"]() + (tonumber(time) or lifetime)
            return true
          end
          return lock
        end,
      }
    end

    -- kong.concurrency: one at a time, on this loop or in the whole process.
    modules["kong.concurrency"] = function()
      local lock_module = modules["resty.lock"]()
      local function need(options)
        if type(options) ~= "table" then raise("opts must be a table") end
        if type(options.name) ~= "string" then raise("opts.name is required and must be a string") end
        local timeout = options.timeout
        if timeout ~= nil and type(timeout) ~= "number" then raise("opts.timeout must be a number") end
        return options.name, timeout or 60
      end
      local function finish(unlock, ok, ...)
        unlock()
        if ok then return ... end
        return nil, (...)
      end
      return {
        with_worker_mutex = function(options, callback)
          local name, timeout = need(options)
          local key, waited = "mutex:" .. name, 0
          local add, delete = internal["shared.add"], internal["shared.delete"]
          local owner = internal["text.uuid"]()
          while not add("concurrency", key, owner, tonumber(options.exptime) or timeout) do
            if waited >= timeout then return nil, "timeout" end
            strict["ngx.sleep"](0.01)
            waited = waited + 0.01
          end
          return finish(function()
            if internal["shared.get"]("concurrency", key) == owner then delete("concurrency", key) end
          end, pcall(callback, waited))
        end,
        with_coroutine_mutex = function(options, callback)
          local name, timeout = need(options)
          local on_timeout = options.on_timeout
          if on_timeout ~= nil and on_timeout ~= "run_unlocked" and on_timeout ~= "return_true" then
            raise("opts.on_timeout must be 'run_unlocked' or 'return_true'")
          end
          local lock = lock_module.new(nil, nil, {timeout = timeout, exptime = timeout + 60})
          local waited, failure = lock:lock(name)
          if not waited then
            if on_timeout == "return_true" then return true end
            if on_timeout ~= "run_unlocked" then return nil, "failed to acquire lock: " .. failure end
            return finish(function() end, pcall(callback))
          end
          return finish(function() lock:unlock() end, pcall(callback))
        end,
      }
    end

    -- resty.upload: the parts of a multipart body one after another (RFC 7578). The body is read whole first.
    modules["resty.upload"] = function()
      local function new(_, chunk_size)
        chunk_size = tonumber(chunk_size) or 4096
        if chunk_size < 1 then raise("chunk size must be positive") end
        local mime = strict["kong.request.get_header"]("content-type")
        if not mime then return nil, "no Content-Type header" end
        local boundary = mime:match(';%s*boundary="([^"]+)"') or mime:match(';%s*boundary=([^",;%s]+)')
        if not boundary then return nil, "no boundary defined in Content-Type" end
        local body, failure = strict["kong.request.get_raw_body"]()
        if not body then return nil, failure end
        local mark, place, state, part_end = "--" .. boundary, nil, "start", nil
        local form = {}
        -- Goes behind a boundary: to the head of the next part, or to the end.
        local function pass(position)
          local after = position + #mark
          if sub(body, after, after + 1) == "--" then
            state = "eof"
          else
            local _, line_end = find(body, "\r\n", after, true)
            if not line_end then return nil, "no line after the boundary" end
            place, state = line_end + 1, "header"
          end
          return true
        end
        function form.read()
          if state == "start" then
            local position = find(body, mark, 1, true)
            if not position then return nil, "no boundary in the body" end
            local ok, problem = pass(position)
            if not ok then return nil, problem end
          end
          if state == "header" then
            local from, to = find(body, "\r\n", place, true)
            if not from then return nil, "incomplete head of a part" end
            local line = sub(body, place, from - 1)
            place = to + 1
            if line ~= "" then
              local name, value = line:match("^([^:%s]+)%s*:%s*(.+)$")
              if not name then return "header", line end
              return "header", {name, value, line}
            end
            part_end = find(body, "\r\n" .. mark, place - 2, true)
            if not part_end then return nil, "the body ends within a part" end
            state = "body"
          end
          if state == "body" then
            if place < part_end then
              local to = math.min(place + chunk_size, part_end) - 1
              local data = sub(body, place, to)
              place = to + 1
              return "body", data
            end
            local ok, problem = pass(part_end + 2)
            if not ok then return nil, problem end
            return "part_end"
          end
          return "eof"
        end
        function form.set_timeout() end
        return form
      end
      return {new = new}
    end

    for _, name in ipairs {"coroutine", "math", "string", "table"} do
      modules[name] = function() return copy(libraries[name]) end
    end

    modules["resty.sha224"] = make_digest("sha224")
    modules["resty.sha"] = function() return {} end
    modules["resty.core.time"] = function() return {} end
    modules["kong.tools.sha1"] = function()
      return {
        sha1_bin = function(text) return strict["ngx.sha1_bin"](text) end,
        sha1_hex = function(text) return to_hex(strict["ngx.sha1_bin"](text)) end,
      }
    end
    modules["version"] = function()
      local function parse(text)
        local parts = {}
        for digits in tostring(text):gmatch("%d+") do parts[#parts + 1] = tonumber(digits) end
        return parts
      end
      local function compare(first, second)
        first, second = parse(first), parse(second)
        for i = 1, math.max(#first, #second) do
          local a, b = first[i] or 0, second[i] or 0
          if a ~= b then return a < b and -1 or 1 end
        end
        return 0
      end
      return {
        version = parse, compare = compare,
        range = function(from, to)
          return {matches = function(_, text) return compare(text, from) >= 0 and compare(text, to) <= 0 end}
        end,
        strict = function(text)
          return {matches = function(_, other) return compare(text, other) == 0 end}
        end,
      }
    end
    modules["tablepool"] = function()
      local pools = {}
      return {
        fetch = function(name, narray, nrecords)
          local pool = pools[name]
          if pool and #pool > 0 then return table.remove(pool) end
          return table_new(narray or 0, nrecords or 0)
        end,
        release = function(name, value, keeps)
          if type(value) ~= "table" then raise("object empty") end
          if not keeps then table_clear(value) end
          local pool = pools[name] or {}
          pools[name] = pool
          if #pool < 200 then pool[#pool + 1] = value end
        end,
      }
    end
    modules["ngx.req"] = function()
      return {add_header = strict["kong.service.request.add_header"]}
    end

    -- socket.url (RFC 3986 §3): the parts of a URL.
    modules["socket.url"] = function()
      local url = {}
      function url.escape(text) return (gsub(text, "[^A-Za-z0-9_]", function(c) return format("%%%02x", byte(c)) end)) end
      function url.unescape(text)
        return (gsub(text, "%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
      end
      function url.parse(text, defaults)
        if type(text) ~= "string" or text == "" then return nil, "invalid url" end
        local parsed = copy(defaults or {})
        text = gsub(text, "#(.*)$", function(part) parsed.fragment = part return "" end)
        text = gsub(text, "^([%w][%w%+%-%.]*)%:", function(part) parsed.scheme = part return "" end)
        text = gsub(text, "^//([^/%?]*)", function(part) parsed.authority = part return "" end)
        text = gsub(text, "%?(.*)", function(part) parsed.query = part return "" end)
        text = gsub(text, "%;(.*)", function(part) parsed.params = part return "" end)
        if text ~= "" then parsed.path = text end
        local authority = parsed.authority
        if not authority then return parsed end
        authority = gsub(authority, "^([^@]*)@", function(part) parsed.userinfo = part return "" end)
        authority = gsub(authority, ":([^:%]]*)$", function(part) parsed.port = part return "" end)
        if authority ~= "" then parsed.host = authority:match("^%[(.+)%]$") or authority end
        local userinfo = parsed.userinfo
        if userinfo then
          userinfo = gsub(userinfo, ":([^:]*)$", function(part) parsed.password = part return "" end)
          parsed.user = userinfo
        end
        return parsed
      end
      function url.parse_path(path)
        local parsed = {}
        path = path or ""
        for part in path:gmatch("[^/]+") do parsed[#parsed + 1] = url.unescape(part) end
        if sub(path, 1, 1) == "/" then parsed.is_absolute = 1 end
        if sub(path, -1) == "/" then parsed.is_directory = 1 end
        return parsed
      end
      function url.build_path(parsed, is_unsafe)
        local parts = {}
        for i = 1, #parsed do parts[i] = is_unsafe and parsed[i] or url.escape(parsed[i]) end
        local path = concat(parts, "/")
        if parsed.is_directory and #parts > 0 then path = path .. "/" end
        return (parsed.is_absolute and "/" or "") .. path
      end
      function url.build(parsed)
        local text = parsed.path or ""
        if parsed.params then text = text .. ";" .. parsed.params end
        if parsed.query then text = text .. "?" .. parsed.query end
        local authority = parsed.authority
        if parsed.host then
          authority = find(parsed.host, ":", 1, true) and "[" .. parsed.host .. "]" or parsed.host
          if parsed.port then authority = authority .. ":" .. parsed.port end
          local user = parsed.user and (parsed.password and parsed.user .. ":" .. parsed.password or parsed.user)
            or parsed.userinfo
          if user then authority = user .. "@" .. authority end
        end
        if authority then text = "//" .. authority .. text end
        if parsed.scheme then text = parsed.scheme .. ":" .. text end
        if parsed.fragment then text = text .. "#" .. parsed.fragment end
        return text
      end
      return url
    end

    -- string.buffer: texts put together. No raw memory is reserved and no format of its own is spoken.
    modules["string.buffer"] = function()
      local function absent(name)
        return function() raise("buffer." .. name .. " is not available in this gateway") end
      end
      local function new()
        local parts, first, buffer = {}, 1, {}
        local function text() return concat(parts, "", first) end
        local function set(value)
          parts, first = {value}, 1
          return buffer
        end
        local metatable = {__index = {}, __metatable = false}
        local methods = metatable.__index
        function methods.put(self, ...)
          for i = 1, select("#", ...) do
            local value = select(i, ...)
            if type(value) ~= "string" then
              if type(value) ~= "number" and type(value) ~= "table" then
                raise("bad argument #" .. i .. " to 'put' (string or number expected, got " .. type(value) .. ")")
              end
              value = tostring(value)
            end
            parts[#parts + 1] = value
          end
          return self
        end
        function methods.putf(self, ...) return methods.put(self, format(...)) end
        function methods.set(_, value) return set(value) end
        function methods.get(_, ...)
          local all = text()
          if select("#", ...) == 0 then
            set("")
            return all
          end
          local results = {}
          for i = 1, select("#", ...) do
            local count = tonumber((select(i, ...))) or #all
            results[i], all = sub(all, 1, count), sub(all, count + 1)
          end
          set(all)
          return unpack(results, 1, select("#", ...))
        end
        function methods.skip(_, count) return set(sub(text(), (tonumber(count) or 0) + 1)) end
        function methods.reset() return set("") end
        methods.free = methods.reset
        function methods.tostring() return text() end
        methods.encode, methods.decode = absent("encode"), absent("decode")
        metatable.__tostring = text
        metatable.__len = function() return #text() end
        metatable.__concat = function(a, b) return tostring(a) .. tostring(b) end
        return setmetatable(buffer, metatable)
      end
      return {new = new, encode = absent("encode"), decode = absent("decode")}
    end

    -- resty.cookie: the cookies of a request, and those that a response sets.
    modules["resty.cookie"] = function()
      return {
        new = function()
          local cookie = {}
          local function all()
            local found = {}
            local header = strict["kong.request.get_header"]("cookie")
            if not header then return nil, "no cookie found in the current request" end
            for pair in header:gmatch("[^;]+") do
              local name, value = pair:match("^%s*([^=%s]+)%s*=%s*(.-)%s*$")
              if name then found[name] = value:match('^"(.*)"$') or value end
            end
            return found
          end
          function cookie.get_all() return all() end
          function cookie.get(_, name)
            local found, failure = all()
            if not found then return nil, failure end
            return found[name]
          end
          function cookie.set(_, options)
            if type(options) ~= "table" or not options.key or options.value == nil then return nil, 'missing field "key" or "value"' end
            local parts = {options.key .. "=" .. tostring(options.value)}
            for _, entry in ipairs {{"expires", "Expires"}, {"max_age", "Max-Age"}, {"domain", "Domain"}, {"path", "Path"},
              {"samesite", "SameSite"}, {"extension"}} do
              local value = options[entry[1]]
              if value then parts[#parts + 1] = entry[2] and entry[2] .. "=" .. tostring(value) or tostring(value) end
            end
            if options.secure then parts[#parts + 1] = "Secure" end
            if options.httponly then parts[#parts + 1] = "HttpOnly" end
            strict["kong.response.add_header"]("Set-Cookie", concat(parts, "; "))
            return true
          end
          return cookie
        end,
      }
    end

    -- resty.ipmatcher: addresses and ranges.
    modules["resty.ipmatcher"] = function()
      local ranges, matcher = internal["text.in_ranges"], {}
      local function new(list, values)
        if type(list) ~= "table" then raise("missing valid ip argument") end
        for _, range in ipairs(list) do
          local ok, failure = ranges("127.0.0.1", {range})
          if ok == nil then return nil, "invalid ip address: " .. tostring(range) .. (failure and "" or "") end
        end
        local object = {}
        local function place_of(address)
          local place, failure = ranges(address, list)
          if place == nil then return false, failure end
          if place == 0 then return false end
          return values and values[place] or true
        end
        function object.match(_, address) return place_of(address) end
        return object
      end
      matcher.new = function(list) return new(list) end
      matcher.new_with_value = function(map)
        local list, values = {}, {}
        for range, value in pairs(map) do
          list[#list + 1] = range
          values[#values + 1] = value
        end
        return new(list, values)
      end
      matcher.parse_ipv4 = function(text) return internal["text.ip_version"](text) == 4 and text end
      matcher.parse_ipv6 = function(text) return internal["text.ip_version"](text) == 6 and text end
      return matcher
    end

    -- Further kong.tools.
    modules["kong.tools.gzip"] = function()
      return {deflate_gzip = internal["text.gzip"], inflate_gzip = internal["text.gunzip"]}
    end
    modules["kong.tools.yield"] = function() return {yield = function() end} end
    modules["kong.tools.json"] = function() return {} end
    modules["kong.tools.mime_type"] = function()
      local function parse(text)
        if type(text) ~= "string" then return nil end
        local kind, subtype, rest = text:match("^%s*([^/%s;]+)/([^/%s;]+)%s*(.*)$")
        if not kind then return nil end
        local parameters
        for name, value in rest:gmatch(";%s*([^=%s;]+)%s*=%s*([^;]*)") do
          parameters = parameters or {}
          parameters[lower(name)] = value:match('^"(.*)"%s*$') or value:match("^(.-)%s*$")
        end
        return lower(kind), lower(subtype), parameters
      end
      return {
        parse_mime_type = parse,
        includes = function(this, other)
          if this.type == "*" then return true end
          return this.type == other.type and (this.subtype == "*" or this.subtype == other.subtype)
        end,
      }
    end
    modules["kong.tools.http"] = function()
      return {
        get_header = function(name, headers)
          if headers then return headers[name] end
          return strict["kong.request.get_header"](name)
        end,
        parse_http_time = strict["ngx.parse_http_time"],
      }
    end
    modules["kong.tools.utils"] = function(trusted)
      local all = {}
      for name in ([[string table uuid rand time ip uri http sha256]]):gmatch("%S+") do
        copy(modules["kong.tools." .. name](trusted), all)
      end
      return all
    end
    end

    """#

  /// Modules of Kong's lists that this gateway does not have, with what to say about each.
  static let refusedModules: [String: String] = {
    var refused: [String: String] = [
      "argon2": "hashing passwords by Argon2 is not available in this gateway; use resty.openssl.kdf",
      "bcrypt": "hashing passwords by bcrypt is not available in this gateway; use resty.openssl.kdf",
      "lyaml": "YAML is not available in this gateway; use cjson",
      "xmlua": "XML is not available in this gateway",
      "resty.ada": "use socket.url",
      "resty.ada.search": "use ngx.decode_args",
      "resty.evp": "use resty.openssl.pkey and resty.openssl.digest",
      "resty.passwdqc": "judging passwords is not available in this gateway",
      "kong.tools.jose": "use resty.jwt or resty.openssl.pkey",
      "kong.enterprise_edition.tools.redis.v2": "use resty.redis",
      "resty.dns.resolver": "use kong.dns",
      "resty.http_connect": "use resty.http, whose connect takes the same options",
      "resty.session": "sessions are not available in this gateway",
      "resty.jq": "jq is not available in this gateway",
      "resty.xmodem": "compute the slot with bit",
      "kong.plugins.jwt.jwt_parser": "the modules of other plugins are not available; use resty.jwt",
      "kong.plugins.base_plugin": "there is no base class since Kong 3; return a plain table with functions",
    ]
    for name in ["pgmoon", "pgmoon.arrays", "pgmoon.hstore", "resty.memcached", "resty.mysql", "resty.rediscluster"] {
      refused[name] = "clients of databases are not available in this gateway; use ngx.socket.tcp or resty.http"
    }
    for name in [
      "asn1", "bn", "ctx", "dh", "ec", "ecx", "objects", "param", "pkcs12", "provider", "rsa", "ssl", "ssl_ctx",
      "stack",
      "x509.altname", "x509.crl", "x509.csr", "x509.name", "x509.revoked", "x509.extension",
      "x509.extension.dist_points", "x509.extension.info_access",
    ] {
      refused["resty.openssl.\(name)"] =
        "this part of resty.openssl is not available in this gateway (there are digest, hmac, mac, cipher, rand, kdf, "
        + "pkey, x509, x509.chain and x509.store)"
    }
    return refused
  }()
}
