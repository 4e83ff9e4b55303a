extension LuaPreludeText {
  /// Text of the runtime's Lua code: spans, and functions that are not available here.
  static let tracing = #"""
    local run_retry
    do
    -- Spans. What they keep is plain data, so that a function of a log phase can send it on.
    local function nanoseconds() return strict["ngx.now"]() * 1e9 end

    local no_span = setmetatable({}, {
      __index = function(_, key)
        if key == "should_sample" then return false end
        if type(key) ~= "string" then return nil end
        if find(key, "^set_") or find(key, "^add_") or find(key, "^get_baggage") or key == "finish"
          or key == "record_error" or key == "each_baggage_item" then
          return function() end
        end
      end,
      __newindex = function() end,
      __metatable = false,
    })

    local attribute_types = {string = true, number = true, boolean = true, table = true}
    local function check_attributes(attributes)
      if attributes == nil then return {} end
      if type(attributes) ~= "table" then raise("invalid attributes: table expected, got " .. type(attributes)) end
      for key, value in pairs(attributes) do
        if type(key) ~= "string" then raise("invalid attribute key: string expected, got " .. type(key)) end
        if not attribute_types[type(value)] then
          raise("invalid attribute value: string, number, boolean or array expected, got " .. type(value))
        end
      end
      return copy(attributes)
    end

    local span_methods = {}
    function span_methods:finish(time)
      if self.end_time_ns then return end
      if time ~= nil and type(time) ~= "number" then raise("invalid span end time: number expected") end
      if time and time < self.start_time_ns then raise("invalid span duration") end
      self.end_time_ns = time or nanoseconds()
      local trace = request_table("tracing")
      if trace.active == self then trace.active = self.parent end
    end
    function span_methods:set_attribute(key, value)
      if type(key) ~= "string" then raise("invalid key") end
      if value ~= nil and not attribute_types[type(value)] then
        raise("invalid span attribute value type: " .. type(value))
      end
      self.attributes[key] = value
    end
    function span_methods:add_event(name, attributes, time)
      if type(name) ~= "string" then raise("invalid event name: string expected") end
      self.events[#self.events + 1] = {
        name = name, attributes = check_attributes(attributes), time_ns = time or nanoseconds(),
      }
    end
    function span_methods:record_error(message)
      self:add_event("exception", {["exception.message"] = tostring(message)})
    end
    function span_methods:set_status(status)
      if status ~= 0 and status ~= 1 and status ~= 2 then raise("invalid status: 0, 1 or 2 expected") end
      self.status = status
    end
    function span_methods:add_span_link(link)
      if type(link) ~= "table" then raise("invalid link: table expected") end
      self.links[#self.links + 1] = link
    end
    function span_methods:set_name(name)
      if type(name) ~= "string" or name == "" then raise("invalid span name") end
      self.name = name
    end
    function span_methods:set_baggage_item(key, value) self.baggage[key] = value end
    function span_methods:get_baggage_item(key) return self.baggage[key] end
    function span_methods:each_baggage_item() return pairs(self.baggage) end
    local span_metatable = {__index = span_methods, __metatable = false}

    local function is_kept_at(trace_id, rate)
      local value = 0
      for place = 1, 6 do value = value * 256 + (byte(trace_id, place) or 0) end
      return value < rate * 2 ^ 48
    end

    local function new_span(trace, name, options)
      if options ~= nil and type(options) ~= "table" then raise("invalid options type") end
      options = options or {}
      if options.start_time_ns ~= nil and type(options.start_time_ns) ~= "number" then
        raise("invalid span start time: number expected")
      end
      if options.span_kind ~= nil and type(options.span_kind) ~= "number" then raise("invalid span kind: number expected") end
      local parent = options.parent
      if parent ~= nil and type(parent) ~= "table" then raise("invalid parent: span expected") end
      return setmetatable({
        name = name, trace_id = options.trace_id or trace.trace_id, span_id = internal["tracing.span_id"](),
        parent_id = parent and parent.span_id, parent = parent, kind = options.span_kind or 1,
        start_time_ns = options.start_time_ns or nanoseconds(), attributes = check_attributes(options.attributes),
        events = {}, links = options.links or {}, baggage = {}, should_sample = trace.should_sample,
      }, span_metatable)
    end

    -- The request's own span is there as soon as somebody asks for the trace.
    local function trace_of_request()
      local trace = request_table("tracing")
      if trace.spans == nil then
        local _, rate, traces_requests = internal["tracing.settings"]()
        trace.spans, trace.trace_id = {}, internal["tracing.trace_id"]()
        trace.should_sample = is_kept_at(trace.trace_id, rate)
        if traces_requests then
          local start, attributes = internal["tracing.request"]()
          local root = new_span(trace, "kong", {span_kind = 2, start_time_ns = start, attributes = attributes})
          trace.spans[1], trace.active, trace.root = root, root, root
        end
      end
      return trace
    end
    -- Adds what is known when the request is over.
    local function conclude(trace)
      if trace.is_over then return end
      trace.is_over = true
      local _, _, _, traces_balancer = internal["tracing.settings"]()
      local finish, status, route, tries = internal["tracing.outcome"]()
      local root = trace.root
      if traces_balancer then
        for index, try in ipairs(tries) do
          local start, after = try.started, tries[index + 1]
          try.started = nil
          local span = new_span(trace, "kong.balancer", {span_kind = 3, start_time_ns = start, attributes = try,
            parent = root})
          if after then span.status = 2 end
          span.end_time_ns = math.max(start, after and after.started or finish)
          trace.spans[#trace.spans + 1] = span
        end
      end
      if root then
        root.attributes["http.status_code"], root.attributes["http.route"] = status, route
        if status >= 500 then root.status = 2 end
        if not root.end_time_ns then root.end_time_ns = math.max(root.start_time_ns, finish) end
      end
    end

    providers["kong.tracing"] = function()
      local function is_on() return (internal["tracing.settings"]()) end
      local tracing = {}
      local function add(trace, span, name)
        span.name = name
        if span.parent == nil and #trace.spans > 0 then
          span.parent = trace.active or trace.spans[1]
          span.parent_id = span.parent.span_id
        end
        trace.spans[#trace.spans + 1] = span
        return span
      end
      function tracing.start_span(name, options)
        if type(name) ~= "string" or name == "" then raise("invalid span name") end
        if not is_on() then return no_span end
        local trace = trace_of_request()
        return add(trace, new_span(trace, name, options), name)
      end
      function tracing.create_span(_, options)
        if not is_on() then return no_span end
        return new_span(trace_of_request(), nil, options)
      end
      function tracing.link_span(_, span, name)
        if type(span) ~= "table" then raise("invalid span") end
        if type(name) ~= "string" or name == "" then raise("invalid span name") end
        if not is_on() then return no_span end
        return add(trace_of_request(), span, name)
      end
      function tracing.active_span()
        if not is_on() then return nil end
        return trace_of_request().active
      end
      function tracing.set_active_span(span)
        if span ~= nil and type(span) ~= "table" then raise("invalid span") end
        if is_on() and span ~= no_span then trace_of_request().active = span end
      end
      function tracing.process_span(processor, ...)
        if type(processor) ~= "function" then raise("processor must be a function") end
        if not is_on() then return end
        local trace = trace_of_request()
        conclude(trace)
        for _, span in ipairs(trace.spans) do if trace.should_sample then processor(span, ...) end end
      end
      function tracing.set_should_sample(_, should_sample)
        if type(should_sample) ~= "boolean" then raise("should_sample must be a boolean") end
        if not is_on() then return end
        local trace = trace_of_request()
        trace.should_sample = should_sample
        for _, span in ipairs(trace.spans) do span.should_sample = should_sample end
      end
      function tracing.get_sampling_decision(_, parent_should_sample, rate)
        if rate ~= nil and (type(rate) ~= "number" or rate < 0 or rate > 1) then return nil, "invalid fraction" end
        if not is_on() then return false end
        if parent_should_sample ~= nil then return parent_should_sample and true or false end
        local trace = trace_of_request()
        if rate then return is_kept_at(trace.trace_id, rate) end
        return trace.should_sample
      end
      function tracing.get_probability_sampling_decision(_, trace_id, rate)
        if type(rate) ~= "number" or rate < 0 or rate > 1 then return nil, "invalid fraction" end
        if type(trace_id) ~= "string" then return nil, "invalid trace id" end
        return is_kept_at(trace_id, rate)
      end
      function tracing.init_spans()
        local trace = request_table("tracing")
        trace.spans, trace.active = nil, nil
        return is_on() and trace_of_request().spans or nil
      end
      function tracing.get_spans() return is_on() and trace_of_request().spans or nil end
      function tracing.get_root_span() return is_on() and trace_of_request().spans[1] or nil end
      return tracing
    end

    local function absent(sentence, names)
      local members = {}
      for name in names:gmatch("%S+") do members[name] = function() raise(sentence) end end
      return function() return members end
    end
    for _, side in ipairs {"client", "upstream"} do
      providers["kong.websocket." .. side] = absent(
        "not available here: frames of WebSocket connections pass this gateway unread",
        "get_frame set_frame_data set_status drop_frame close set_max_payload_size")
    end
    providers["kong.jwe"] = absent("not available here: encrypted tokens are not supported", "decrypt decode encrypt")

    -- Texts of the certificates of an object of resty.openssl.
    local function certificates_of(value)
      if type(value) ~= "table" then return nil end
      local certificates = value.__certificates
      if type(certificates) == "function" then certificates = certificates(value) end
      if type(certificates) == "table" then return certificates end
    end
    -- What the upstream of one request is reached with beyond its service.
    providers["kong.service"] = function()
      return {
        set_tls_cert_key = function(chain, key)
          local certificates = certificates_of(chain)
          if not certificates then raise("chain must be a parsed cdata object") end
          local text = type(key) == "table" and key.__private_pem
          if type(text) == "function" then text = text(key) end
          if type(text) ~= "string" then raise("key must be a parsed cdata object") end
          return internal["service.tls_cert_key"](certificates, text)
        end,
        set_tls_verify_store = function(store)
          local certificates = type(store) == "table" and store.__is_store and certificates_of(store)
          if not certificates then raise("argument must be a resty.openssl.x509.store object") end
          return internal["service.tls_store"](certificates)
        end,
        set_target_retry_callback = function(callback)
          if type(callback) ~= "function" then raise("retry_callback must be a function") end
          request_table("retry").callback = callback
          internal["service.retry_callback"]()
          return true
        end,
      }
    end
    providers["kong.client.tls"] = function()
      return {
        request_client_certificate = function(authorities)
          if authorities == nil then return internal["client.ask_certificate"]() end
          local certificates = certificates_of(authorities)
          if not certificates then
            raise("ca_certs must be a resty.openssl.x509.chain or resty.openssl.x509.store object")
          end
          return internal["client.ask_certificate"](certificates)
        end,
      }
    end
    function run_retry()
      local callback = request_table("retry").callback
      if callback then callback() end
    end
    end

    """#
}
