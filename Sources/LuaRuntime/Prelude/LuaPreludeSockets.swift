extension LuaPreludeText {
  /// Text of the runtime's Lua code: `ngx.socket`. Source: Kong fact, pdk §7.
  static let sockets = #"""
    -- A socket belongs to the request, or timer, that made it, and is closed with it unless it is kept in a pool.
    local function make_socket()
      local socket, number, pool, pool_size = {}, nil, nil, nil
      local connect_timeout, send_timeout, read_timeout = 60000, 60000, 60000
      local certificates, key
      local function closed() return nil, "closed" end
      function socket.connect(_, host, port, options)
        host = need_text(host, 1, "connect")
        if sub(host, 1, 5) == "unix:" then return nil, "sockets of the file system are not supported" end
        if type(port) == "table" then port, options = nil, port end
        port = tonumber(port)
        if not port or port < 0 or port > 65535 then raise("bad argument #2 to 'connect' (port number expected)") end
        if options ~= nil and type(options) ~= "table" then raise("bad argument #3 to 'connect' (table expected)") end
        options = options or {}
        if number then internal["socket.close"](number) end
        pool = options.pool and tostring(options.pool) or host .. ":" .. port
        pool_size = tonumber(options.pool_size)
        local made, failure = internal["socket.connect"](host, port, connect_timeout, pool)
        number = made
        if not made then return nil, failure end
        return 1
      end
      function socket.sslhandshake(_, _, name, verifies)
        if not number then return closed() end
        local ok, failure = internal["socket.secure"](number, name, verifies and true or false, connect_timeout,
          certificates or {}, key)
        if not ok then
          number = nil
          return nil, failure
        end
        return true
      end
      function socket.setclientcert(_, certificate, private_key)
        if certificate == nil then
          certificates, key = nil, nil
          return true
        end
        local list = type(certificate) == "table" and certificate.__certificates
        local text = type(private_key) == "table" and private_key.__private_pem
        if not list or not text then return nil, "bad client certificate or key: objects of resty.openssl expected" end
        certificates, key = list(certificate), text(private_key)
        return true
      end
      function socket.send(_, data)
        if not number then return closed() end
        return internal["socket.send"](number, data, send_timeout)
      end
      function socket.receive(_, pattern)
        if not number then return closed() end
        if pattern == nil then pattern = "*l" end
        local count = tonumber(pattern)
        if count then
          if count < 0 then raise("bad argument #1 to 'receive' (bad number argument)") end
          return internal["socket.receive"](number, "n", count, read_timeout)
        end
        if pattern ~= "*l" and pattern ~= "*a" and pattern ~= "l" and pattern ~= "a" then
          raise("bad argument #1 to 'receive' (bad pattern argument)")
        end
        return internal["socket.receive"](number, sub(pattern, -1), 0, read_timeout)
      end
      function socket.receiveany(_, count)
        if not number then return closed() end
        return internal["socket.receive"](number, "y", tonumber(count) or 65536, read_timeout)
      end
      function socket.receiveuntil(_, pattern, options)
        pattern = need_text(pattern, 1, "receiveuntil")
        if pattern == "" then raise("bad argument #1 to 'receiveuntil' (pattern is empty)") end
        local inclusive = type(options) == "table" and options.inclusive
        local rest, is_over
        return function(size)
          if not number then return closed() end
          if rest == nil then
            if is_over then
              is_over = false
              return nil
            end
            local text, failure, partial = internal["socket.receive"](number, "u", pattern, read_timeout)
            if not text then return nil, failure, partial end
            rest = inclusive and text .. pattern or text
          end
          size = tonumber(size)
          if not size or size >= #rest then
            local text = rest
            rest, is_over = nil, size ~= nil
            return text
          end
          local text = sub(rest, 1, size)
          rest = sub(rest, size + 1)
          return text
        end
      end
      function socket.close()
        if not number then return closed() end
        internal["socket.close"](number)
        number = nil
        return 1
      end
      function socket.setkeepalive(_, timeout, size)
        if not number then return closed() end
        local kept = number
        number = nil
        return internal["socket.keep"](kept, pool, tonumber(timeout) or 60000, tonumber(size) or pool_size)
      end
      function socket.getreusedtimes()
        if not number then return closed() end
        return internal["socket.reused"](number)
      end
      function socket.settimeout(_, time)
        time = tonumber(time)
        if time then connect_timeout, send_timeout, read_timeout = time, time, time end
      end
      function socket.settimeouts(_, connect, send, read)
        connect_timeout = tonumber(connect) or connect_timeout
        send_timeout, read_timeout = tonumber(send) or send_timeout, tonumber(read) or read_timeout
      end
      function socket.setoption() return true end
      return socket
    end

    local function make_datagram_socket()
      local socket, number, timeout = {}, nil, 60000
      local function closed() return nil, "closed" end
      function socket.setpeername(_, host, port)
        host = need_text(host, 1, "setpeername")
        if sub(host, 1, 5) == "unix:" then return nil, "sockets of the file system are not supported" end
        port = tonumber(port)
        if not port or port < 0 or port > 65535 then raise("bad argument #2 to 'setpeername' (port number expected)") end
        if number then internal["udp.close"](number) end
        local made, failure = internal["udp.connect"](host, port)
        number = made
        if not made then return nil, failure end
        return 1
      end
      function socket.send(_, data)
        if not number then return closed() end
        return internal["udp.send"](number, data)
      end
      function socket.receive(_, size)
        if not number then return closed() end
        return internal["udp.receive"](number, tonumber(size) or 65535, timeout)
      end
      function socket.close()
        if not number then return closed() end
        internal["udp.close"](number)
        number = nil
        return 1
      end
      function socket.settimeout(_, time) timeout = tonumber(time) or timeout end
      return socket
    end

    providers["ngx.socket"] = function()
      return {
        tcp = make_socket, stream = make_socket, udp = make_datagram_socket,
        connect = function(host, port, options)
          local socket = make_socket()
          local ok, failure = socket:connect(host, port, options)
          if not ok then return nil, failure end
          return socket
        end,
      }
    end

    """#
}
