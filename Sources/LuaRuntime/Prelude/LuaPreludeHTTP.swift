extension LuaPreludeText {
  /// Text of the runtime's Lua code: an HTTP/1.1 client with the interface of `resty.http`, over the sockets.
  static let http = #"""
    do
    local default_ports = {http = 80, https = 443}

    -- Header fields by any spelling; several of one name become a list.
    local field_metatable = {
      __index = function(fields, key)
        if type(key) ~= "string" then return nil end
        local wanted = gsub(lower(key), "_", "-")
        for name, value in next, fields do if lower(name) == wanted then return value end end
      end,
      __metatable = false,
    }
    local function new_fields() return setmetatable({}, field_metatable) end

    local function parse_uri(uri, query_in_path)
      if type(uri) ~= "string" then return nil, "bad uri: " .. tostring(uri) end
      if query_in_path == nil then query_in_path = true end
      local scheme, rest = uri:match("^(%a[%w+.-]*)://(.*)$")
      if not scheme and sub(uri, 1, 2) == "//" then scheme, rest = "http", sub(uri, 3) end
      if not rest then return nil, "bad uri: " .. uri end
      scheme = lower(scheme)
      if not default_ports[scheme] then return nil, "bad uri: " .. uri end
      local authority, path, query = rest:match("^([^/?#]*)([^?#]*)%??([^#]*)")
      authority = authority:match("@(.*)$") or authority
      local host, port = authority:match("^(%[[^%]]+%]):?(%d*)$")
      if not host then host, port = authority:match("^([^:]+):?(%d*)$") end
      if not host then return nil, "bad uri: " .. uri end
      port = port ~= "" and tonumber(port) or default_ports[scheme]
      if path == "" then path = "/" end
      if query_in_path and query ~= "" then path, query = path .. "?" .. query, "" end
      return {scheme, host, port, path, query}
    end

    local function is_safe(text) return not find(text, "[%z\r\n]") end

    local function encode_query(query)
      if type(query) == "table" then return strict["ngx.encode_args"](query) end
      return query
    end

    local function head_of(params, host_header)
      local path = params.path or "/"
      local query = params.query and encode_query(params.query)
      if query and query ~= "" then
        path = path .. (sub(query, 1, 1) == "?" and "" or "?") .. query
      end
      local method, version = params.method or "GET", params.version or 1.1
      local lines = {method .. " " .. gsub(path, " ", "%%20") .. " HTTP/" .. format("%.1f", version)}
      if not is_safe(lines[1]) then return nil, "bad method or path" end
      local given = new_fields()
      for name, value in pairs(params.headers or {}) do given[tostring(name)] = value end
      if given["Host"] == nil then given["Host"] = host_header end
      if given["User-Agent"] == nil then given["User-Agent"] = "sluice" end
      local body, is_chunked = params.body, false
      if type(body) == "function" then
        is_chunked = given["Content-Length"] == nil
        if is_chunked and given["Transfer-Encoding"] == nil then given["Transfer-Encoding"] = "chunked" end
      elseif given["Content-Length"] == nil and given["Transfer-Encoding"] == nil then
        if type(body) == "table" then body = concat(body) end
        if body ~= nil then
          body = tostring(body)
          given["Content-Length"] = #body
        elseif method == "POST" or method == "PUT" or method == "PATCH" then
          given["Content-Length"] = 0
        end
      end
      if version == 1.0 and given["Connection"] == nil then given["Connection"] = "Keep-Alive" end
      for name, value in pairs(given) do
        for _, one in ipairs(type(value) == "table" and value or {value}) do
          local line = name .. ": " .. tostring(one)
          if not is_safe(line) then return nil, "bad header: " .. gsub(name, "%c", "") end
          lines[#lines + 1] = line
        end
      end
      return concat(lines, "\r\n") .. "\r\n\r\n", body, is_chunked
    end

    local function receive_fields(socket)
      local fields, count = new_fields(), 0
      while true do
        local line, failure = socket:receive("*l")
        if not line then return nil, failure end
        if line == "" then return fields end
        count = count + 1
        if count > 1000 then return nil, "too many headers" end
        local name, value = line:match("^([^:%s]+):%s*(.-)%s*$")
        if name then
          local known = fields[name]
          if known == nil then
            fields[name] = value
          elseif type(known) == "table" then
            known[#known + 1] = value
          else
            for spelt in next, fields do
              if lower(spelt) == lower(name) then fields[spelt] = {known, value} break end
            end
          end
        end
      end
    end

    local function contains(value, wanted)
      if type(value) == "table" then value = concat(value, ",") end
      return type(value) == "string" and find(lower(value), wanted, 1, true) ~= nil
    end

    -- Readers of bodies: each call gives the next part, nil at the end.
    local function chunked_reader(socket)
      local left, is_over
      return function(size)
        if is_over then return nil end
        if not left then
          local line, failure = socket:receive("*l")
          if not line then return nil, failure end
          left = tonumber(line:match("^%s*(%x+)"), 16)
          if not left then return nil, "unable to read chunksize" end
          if left == 0 then
            is_over = true
            return nil
          end
        end
        local count = math.min(left, size or left)
        local text, failure = socket:receive(count)
        if not text then return nil, failure end
        left = left - count
        if left == 0 then
          left = nil
          local _, problem = socket:receive(2)
          if problem then return nil, problem end
        end
        return text
      end
    end
    local function length_reader(socket, left)
      return function(size)
        if left == 0 then return nil end
        local count = math.min(left, size or left)
        local text, failure = socket:receive(count)
        if not text then return nil, failure end
        left = left - count
        return text
      end
    end
    local function closing_reader(socket)
      local is_over
      return function(size)
        if is_over then return nil end
        if not size then
          is_over = true
          local text, failure = socket:receive("*a")
          if text == "" then return nil end
          return text, failure
        end
        local text, failure, partial = socket:receive(size)
        if text then return text end
        is_over = true
        if failure == "closed" then return partial ~= "" and partial or nil end
        return nil, failure
      end
    end
    local function no_reader() return nil end

    local function new_client()
      local client, socket = {keepalive = true}, make_socket()
      local host_header, proxy, is_absolute
      local function ready() return socket ~= nil end

      function client.set_timeout(_, time) return socket:settimeout(time) end
      function client.set_timeouts(_, connect, send, read) return socket:settimeouts(connect, send, read) end
      function client.set_proxy_options(_, options) proxy = type(options) == "table" and copy(options) or nil end
      client.parse_uri = function(_, uri, query_in_path) return parse_uri(uri, query_in_path) end

      local function proxy_for(scheme, host, options)
        options = options or proxy
        if not options then return nil end
        for name in tostring(options.no_proxy or ""):gmatch("[^,%s]+") do
          local domain = gsub(name, "^%.", "")
          if name == "*" or host == domain or sub(host, -#domain - 1) == "." .. domain then return nil end
        end
        local uri = options[scheme .. "_proxy"]
        if not uri then return nil end
        local parsed, failure = parse_uri(uri)
        if not parsed then return nil, "bad proxy: " .. failure end
        return parsed, nil, options[scheme .. "_proxy_authorization"]
      end

      function client.connect(_, options, port, more)
        client.keepalive = true
        if type(options) ~= "table" then
          -- The older form: host and port, and a handshake of its own.
          local host = options
          host_header = port == 80 and host or host .. ":" .. tostring(port)
          is_absolute = nil
          return socket:connect(gsub(host, "^%[(.*)%]$", "%1"), port, more)
        end
        local scheme, host = options.scheme or "http", options.host
        if type(host) ~= "string" then return nil, "bad host" end
        local target_port = tonumber(options.port) or default_ports[scheme]
        if not target_port then return nil, "bad scheme: " .. tostring(scheme) end
        local is_default = target_port == default_ports[scheme]
        host_header = is_default and host or host .. ":" .. target_port
        local verifies = options.ssl_verify ~= false
        local name = options.ssl_server_name or gsub(host, "^%[(.*)%]$", "%1")
        local through, failure, authorization = proxy_for(scheme, host, options.proxy_opts)
        if failure then return nil, failure end
        local pool = options.pool or concat({scheme, host, target_port, name, tostring(verifies),
          through and through[2] .. through[3] or "", tostring(authorization or "")}, ":")
        local to_host, to_port = host, target_port
        if through then to_host, to_port = through[2], through[3] end
        local ok, problem = socket:connect(gsub(to_host, "^%[(.*)%]$", "%1"), to_port,
          {pool = pool, pool_size = options.pool_size})
        if not ok then return nil, problem end
        is_absolute = through and scheme == "http" and {"http://" .. host_header, authorization} or nil
        if scheme == "https" and socket:getreusedtimes() == 0 then
          if through then
            local text = "CONNECT " .. host .. ":" .. target_port .. " HTTP/1.1\r\nHost: " .. host .. ":" .. target_port
              .. "\r\n" .. (authorization and "Proxy-Authorization: " .. authorization .. "\r\n" or "") .. "\r\n"
            local sent, reason = socket:send(text)
            if not sent then return nil, reason end
            local line
            line, reason = socket:receive("*l")
            if not line then return nil, reason end
            local status = tonumber(line:match("^HTTP/%d%.%d (%d%d%d)"))
            local fields
            fields, reason = receive_fields(socket)
            if not fields then return nil, reason end
            if status ~= 200 then return nil, "failed to establish a tunnel through a proxy: " .. tostring(status) end
          end
          if options.ssl_client_cert then
            local set, reason = socket:setclientcert(options.ssl_client_cert, options.ssl_client_priv_key)
            if not set then return nil, reason end
          end
          local secured, reason = socket:sslhandshake(nil, name, verifies)
          if not secured then return nil, reason end
        end
        return 1, nil, scheme == "https" or nil
      end
      function client.ssl_handshake(_, ...) return socket:sslhandshake(...) end
      function client.connect_proxy() return nil, "use connect{} with proxy_opts" end
      function client.setclientcert(_, ...) return socket:setclientcert(...) end
      function client.get_reused_times() return socket:getreusedtimes() end
      function client.close() return socket:close() end
      function client.set_keepalive(_, ...)
        if client.keepalive then return socket:setkeepalive(...) end
        local ok, failure = socket:close()
        if not ok then return nil, failure end
        return 2, "connection must be closed"
      end

      local function send_body(body, is_chunked)
        if type(body) ~= "function" then
          if body == nil or body == "" then return true end
          return socket:send(body)
        end
        while true do
          local part, failure = body()
          if failure then return nil, failure end
          if not part then break end
          if part ~= "" then
            local ok, problem = socket:send(is_chunked and {format("%x\r\n", #part), part, "\r\n"} or part)
            if not ok then return nil, problem end
          end
        end
        if is_chunked then return socket:send("0\r\n\r\n") end
        return true
      end

      function client.send_request(_, params)
        if type(params) ~= "table" then raise("params must be a table") end
        if is_absolute then
          params = copy(params)
          params.path = is_absolute[1] .. (params.path or "/")
          if is_absolute[2] then
            params.headers = copy(params.headers or {})
            params.headers["Proxy-Authorization"] = is_absolute[2]
          end
        end
        local head, body, is_chunked = head_of(params, host_header)
        if not head then return nil, body end
        local ok, failure = socket:send(head)
        if not ok then return nil, failure end
        return send_body(body, is_chunked)
      end

      function client.read_response(_, params)
        local version, status, reason
        repeat
          local line, failure = socket:receive("*l")
          if not line then return nil, failure end
          version, status, reason = line:match("^HTTP/(%d%.%d)%s+(%d%d%d)%s*(.*)$")
          if not version then return nil, "couldn't parse HTTP version from response status line: " .. sub(line, 1, 100) end
          version, status = tonumber(version), tonumber(status)
          if status == 100 then
            local _, problem = receive_fields(socket)
            if problem then return nil, problem end
          end
        until status ~= 100
        local fields, failure = receive_fields(socket)
        if not fields then return nil, failure end
        if contains(fields["Connection"], "close") or (version == 1.0 and not contains(fields["Connection"], "keep-alive"))
        then
          client.keepalive = false
        end
        local reader, has_body = no_reader, false
        if params.method ~= "HEAD" and status >= 200 and status ~= 204 and status ~= 304 then
          has_body = true
          local length = fields["Content-Length"]
          if contains(fields["Transfer-Encoding"], "chunked") then
            reader = chunked_reader(socket)
          elseif length ~= nil then
            length = tonumber(type(length) == "table" and length[1] or length)
            if not length or length < 0 then return nil, "bad Content-Length" end
            reader = length_reader(socket, length)
            has_body = length > 0
          else
            client.keepalive = false
            reader = closing_reader(socket)
          end
        end
        local response = {status = status, reason = reason, headers = fields, has_body = has_body, version = version,
          body_reader = reader}
        function response.read_body()
          local parts, size = {}, 0
          while true do
            local part, problem = reader()
            if problem then return nil, problem, concat(parts) end
            if not part then return concat(parts) end
            size = size + #part
            if size > 67108864 then return nil, "body is too large" end
            parts[#parts + 1] = part
          end
        end
        function response.read_trailers()
          local trailers = fields["Trailer"]
          if contains(fields["Transfer-Encoding"], "chunked") then
            local found, problem = receive_fields(socket)
            if not found then return nil, problem end
            for name, value in pairs(found) do fields[name] = value end
            return trailers and found or nil
          end
        end
        return response
      end

      function client.request(_, params)
        if not ready() then return nil, "not initialized" end
        params = params or {}
        local ok, failure = client.send_request(nil, params)
        if not ok then return nil, failure end
        return client.read_response(nil, params)
      end
      function client.request_pipeline() return nil, "pipelining is not supported" end
      function client.proxy_request() return nil, "the request's own connection is the gateway's: use kong.service" end
      client.proxy_response, client.get_client_body_reader = client.proxy_request, client.proxy_request

      local function exchange(params)
        local ok, failure = client.connect(nil, params)
        if not ok then return nil, failure end
        local response
        response, failure = client.request(nil, params)
        if not response then
          client.close()
          return nil, failure
        end
        local body
        body, failure = response.read_body()
        if not body then
          client.close()
          return nil, failure
        end
        response.body, response.body_reader = body, nil
        if contains(response.headers["Transfer-Encoding"], "chunked") then
          local _, problem = response.read_trailers()
          if problem then client.keepalive = false end
        end
        if params.keepalive == false then
          client.close()
        else
          client.set_keepalive(nil, params.keepalive_timeout, params.keepalive_pool)
        end
        return response
      end
      function client.request_uri(_, uri, params)
        params = copy(params or {})
        local parsed, failure = parse_uri(uri, false)
        if not parsed then return nil, failure end
        params.scheme, params.host, params.port = parsed[1], parsed[2], parsed[3]
        params.path = params.path or parsed[4]
        params.query = params.query or parsed[5]
        return exchange(params)
      end
      return client
    end

    modules["resty.http"] = function()
      return {new = new_client, _VERSION = "0.17.2", parse_uri = function(_, uri, query_in_path)
        return parse_uri(uri, query_in_path)
      end}
    end
    modules["resty.http_headers"] = function()
      return {new = new_fields}
    end
    end

    """#
}
