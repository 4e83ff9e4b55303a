extension LuaPreludeText {
  /// Text of the runtime's Lua code: certificates under the names of `resty.openssl.x509`, and JSON web tokens.
  static let certificates = #"""
    local name_methods = {}
    local make_name = class(name_methods)
    function name_methods:all()
      local all = {}
      for _, entry in ipairs(self.entries) do all[entry.sn] = entry end
      return all
    end
    function name_methods:each()
      local place = 0
      return function()
        place = place + 1
        local entry = self.entries[place]
        if entry then return entry.sn, entry end
      end
    end
    function name_methods:find(wanted, after)
      for place = (after or 0) + 1, #self.entries do
        local entry = self.entries[place]
        if entry.sn == wanted or entry.ln == wanted or entry.id == wanted then return entry, place end
      end
      return nil
    end
    function name_methods:count() return #self.entries end
    function name_methods:tostring() return self.text end

    local alternative_methods = {}
    local make_alternatives = class(alternative_methods)
    function alternative_methods:all()
      local all = {}
      for index, entry in ipairs(self.entries) do all[index] = {entry[1], entry[2]} end
      return all
    end
    function alternative_methods:each()
      local place = 0
      return function()
        place = place + 1
        local entry = self.entries[place]
        if entry then return entry[1], entry[2] end
      end
    end
    function alternative_methods:count() return #self.entries end
    function alternative_methods:tostring()
      local texts = {}
      for index, entry in ipairs(self.entries) do texts[index] = entry[1] .. ":" .. entry[2] end
      return concat(texts, "/")
    end

    local extension_methods = {}
    local make_extension = class(extension_methods)
    function extension_methods:text() return self.value end
    function extension_methods:tostring() return self.value end
    function extension_methods:get_critical() return self.is_critical end
    function extension_methods:get_object() return {sn = self.name} end

    local certificate_methods = {}
    local make_certificate, is_certificate = class(certificate_methods)
    local function certificate(bytes) return make_certificate {bytes = bytes} end
    local function field(self, name) return internal["crypto.certificate_field"](self.bytes, name) end
    local function name_of(self, is_issuer)
      local parts, failure = internal["crypto.certificate_name"](self.bytes, is_issuer)
      if not parts then return nil, failure end
      local entries = {}
      for place = 1, #parts, 4 do
        entries[#entries + 1] = {sn = parts[place], ln = parts[place + 1], id = parts[place + 2], blob = parts[place + 3]}
      end
      return make_name {entries = entries, text = field(self, is_issuer and "issuer" or "subject")}
    end
    function certificate_methods:tostring(fmt)
      if fmt == "DER" then return self.bytes end
      return internal["crypto.certificate_pem"](self.bytes)
    end
    function certificate_methods:to_PEM() return self:tostring("PEM") end
    function certificate_methods:get_subject_name() return name_of(self, false) end
    function certificate_methods:get_issuer_name() return name_of(self, true) end
    function certificate_methods:get_version() return tonumber((field(self, "version"))) end
    function certificate_methods:get_not_before() return tonumber((field(self, "not_before"))) end
    function certificate_methods:get_not_after() return tonumber((field(self, "not_after"))) end
    function certificate_methods:get_lifetime() return self:get_not_before(), self:get_not_after() end
    function certificate_methods:get_signature_name() return field(self, "signature_name") end
    function certificate_methods:get_signature_digest_name() return field(self, "signature_digest") end
    function certificate_methods:get_serial_number()
      local text = field(self, "serial")
      return text and number((gsub(text, "%x%x", function(pair) return string.char(tonumber(pair, 16)) end)))
    end
    function certificate_methods:get_pubkey()
      local bytes, failure = field(self, "public_key")
      if not bytes then return nil, failure end
      return new_key("", bytes)
    end
    function certificate_methods:digest(name) return internal["crypto.digest"](name or "sha1", self.bytes) end
    function certificate_methods:pubkey_digest(name)
      local bytes, failure = field(self, "public_key")
      if not bytes then return nil, failure end
      return internal["crypto.digest"](name or "sha1", bytes)
    end
    function certificate_methods:get_subject_alt_name()
      local parts, failure = internal["crypto.certificate_alternatives"](self.bytes)
      if not parts then return nil, failure end
      if #parts == 0 then return nil end
      local entries = {}
      for place = 1, #parts, 2 do entries[#entries + 1] = {parts[place], parts[place + 1]} end
      return make_alternatives {entries = entries}
    end
    local function extension(name, value, is_critical)
      if not name then return nil end
      return make_extension {name = name, value = value, is_critical = is_critical}
    end
    function certificate_methods:get_extension(name)
      return extension(internal["crypto.certificate_extension"](self.bytes, tostring(name)))
    end
    function certificate_methods:get_extensions()
      local found = {}
      while #found < 64 do
        local one = extension(internal["crypto.certificate_extension"](self.bytes, #found))
        if not one then break end
        found[#found + 1] = one
      end
      return found
    end
    function certificate_methods:get_basic_constraints(name)
      local one = self:get_extension("basicConstraints")
      if not one then return nil end
      local all = {ca = find(one.value, "CA:TRUE", 1, true) ~= nil, pathlen = tonumber(one.value:match("pathlen:(%d+)"))}
      if name then return all[lower(name)] end
      return all
    end
    local function urls(self, name)
      local one = self:get_extension(name)
      local found = {}
      if one then for url in one.value:gmatch("URI:(%S+)") do found[#found + 1] = url end end
      return found
    end
    function certificate_methods:get_crl_url(all)
      local found = urls(self, "crlDistributionPoints")
      if all then return found end
      return found[1]
    end
    function certificate_methods:get_ocsp_url(all)
      local one = self:get_extension("authorityInfoAccess")
      local found = {}
      if one then for url in one.value:gmatch("OCSP %- URI:(%S+)") do found[#found + 1] = url end end
      if all then return found end
      return found[1]
    end
    function certificate_methods:check_host(host) return internal["crypto.certificate_host"](self.bytes, host) end
    function certificate_methods:check_private_key(key)
      if not is_key(key) then return nil, "x509:check_private_key: except a pkey instance" end
      if field(self, "public_key") == key.public then return true end
      return false, "key values mismatch"
    end
    function certificate_methods:verify(key)
      if not is_key(key) then return nil, "x509:verify: expect a pkey instance" end
      return internal["crypto.certificate_signed_by"](self.bytes, key.public)
    end
    function certificate_methods:__certificates() return {self:tostring("PEM")} end

    local function certificates_in(text)
      if type(text) ~= "string" then return nil, "expect a string" end
      local list, failure = internal["crypto.certificates"](text)
      if not list then return nil, failure end
      for index, bytes in ipairs(list) do list[index] = certificate(bytes) end
      return list
    end
    modules["resty.openssl.x509"] = function()
      return {
        new = function(text)
          if type(text) ~= "string" then return nil, "x509.new: expect nil or a string at #1" end
          local list, failure = certificates_in(text)
          if not list then return nil, "x509.new: " .. failure end
          return list[1]
        end,
        istype = is_certificate, dup = function(one) return certificate(one.bytes) end,
      }
    end

    local chain_methods = {}
    local make_chain = class(chain_methods)
    function chain_methods:add(one)
      if not is_certificate(one) then return false, "chain:add: expect a x509 instance" end
      self.list[#self.list + 1] = one
      return true
    end
    function chain_methods:all() return copy(self.list) end
    function chain_methods:count() return #self.list end
    function chain_methods:each()
      local place = 0
      return function()
        place = place + 1
        return self.list[place]
      end
    end
    function chain_methods:__certificates()
      local texts = {}
      for index, one in ipairs(self.list) do texts[index] = one:tostring("PEM") end
      return texts
    end
    modules["resty.openssl.x509.chain"] = function()
      return {new = function() return make_chain {list = {}} end}
    end

    local store_methods = {}
    local make_store = class(store_methods)
    store_methods.__certificates, store_methods.__is_store = chain_methods.__certificates, true
    function store_methods:use_default()
      self.uses_system_roots = true
      return true
    end
    function store_methods:add(one)
      if not is_certificate(one) then return false, "store:add: expect an x509 instance" end
      self.list[#self.list + 1] = one
      return true
    end
    for _, name in ipairs {"load_file", "load_directory"} do
      store_methods[name] = function() return false, "store:" .. name .. ": plugins have no files" end
    end
    local function bytes_of(list)
      local all = {}
      for index, one in ipairs(list or {}) do all[index] = one.bytes end
      return all
    end
    function store_methods:verify(one, chain)
      if not is_certificate(one) then return nil, "store:verify: expect a x509 instance at #1" end
      local ok, failure = internal["crypto.certificate_verify"](one.bytes, bytes_of(self.list), self.uses_system_roots,
        bytes_of(chain and chain.list))
      if ok then return true end
      return nil, failure
    end
    modules["resty.openssl.x509.store"] = function()
      return {new = function() return make_store {list = {}} end}
    end

    modules["resty.openssl.version"] = function()
      return {version_num = 0x30000000, version_text = "OpenSSL 3", OPENSSL_3X = true, OPENSSL_11 = false,
        BORINGSSL = false}
    end
    modules["resty.openssl.err"] = function() return {format_error = function(text) return text end} end
    modules["resty.openssl"] = function()
      return {_VERSION = "1.5.0", load_modules = function() return true end, fips = false,
        get_fips_mode = function() return false end}
    end

    -- JSON web tokens (RFC 7515): compact, signed with HMAC, RSA, ECDSA or EdDSA.
    local token_digests = {["256"] = "sha256", ["384"] = "sha384", ["512"] = "sha512"}
    local function token_signature(algorithm, secret, text, signature)
      local family, size = tostring(algorithm):match("^(%u%u)(%d%d%d)$")
      local digest = token_digests[size]
      if family == "HS" and digest then
        if type(secret) ~= "string" or secret == "" then return nil, "the secret must be a string" end
        local code = internal["crypto.hmac"](digest, secret, text)
        if not signature then return code end
        local difference = #code == #signature and 0 or 1
        for i = 1, #code do difference = bit.bor(difference, bit.bxor(byte(code, i), byte(signature, i) or 0)) end
        return difference == 0
      end
      local kinds = {RS = "RSA", PS = "RSA", ES = "EC"}
      local kind = algorithm == "EdDSA" and "ED25519" or kinds[family]
      if not kind or (kind ~= "ED25519" and not digest) then return nil, "unsupported algorithm: " .. tostring(algorithm) end
      local key, failure
      if type(secret) == "table" then
        key = is_key(secret) and secret or is_certificate(secret) and secret:get_pubkey()
      elseif type(secret) == "string" then
        key, failure = pkey_new(secret)
        if not key then
          local list = certificates_in(secret)
          if list then key, failure = list[1]:get_pubkey() end
        end
      end
      if not key then return nil, failure or "a key is needed" end
      -- A key of another kind than the algorithm's is a confusion of algorithms.
      if key.kind ~= kind then return nil, "the algorithm " .. algorithm .. " does not go with a key of kind " .. key.kind end
      local padding = family == "PS" and 6 or nil
      local options = {ecdsa_use_raw = true, pss_saltlen = family == "PS" and tonumber(size) / 8 or nil}
      if not signature then return key:sign(text, digest, padding, options) end
      return key:verify(signature, text, digest, padding, options)
    end

    modules["resty.jwt"] = function()
      local jwt = {}
      local function decoded(text)
        local bytes = decode_url(text or "")
        local ok, value = pcall(json.decode, bytes or "")
        if ok and type(value) == "table" then return value end
      end
      function jwt.load_jwt(_, token)
        local parts = type(token) == "string" and split(token, ".", true) or {}
        local object = {raw_header = parts[1], raw_payload = parts[2], signature = parts[3], valid = false,
          verified = false}
        if #parts ~= 3 then
          object.reason = "invalid jwt string"
          return object
        end
        object.header, object.payload = decoded(parts[1]), decoded(parts[2])
        if not object.header then
          object.reason = "invalid header: " .. parts[1]
        elseif not object.payload then
          object.reason = "invalid payload: " .. parts[2]
        elseif type(object.header.alg) ~= "string" then
          object.reason = "invalid jwt string: no alg"
        else
          object.valid = true
        end
        return object
      end
      function jwt.sign(_, secret, object)
        if type(object) ~= "table" or type(object.header) ~= "table" then raise("invalid jwt object") end
        local text = encode_url(json.encode(object.header)) .. "." .. encode_url(json.encode(object.payload or {}))
        local signature, failure = token_signature(object.header.alg, secret, text)
        if not signature then raise(failure) end
        return text .. "." .. encode_url(signature)
      end
      local function check_times(object, leeway)
        local now, payload = strict["ngx.time"](), object.payload
        for _, name in ipairs {"exp", "nbf"} do
          local time = payload[name]
          if time ~= nil and type(time) ~= "number" then return "'" .. name .. "' is malformed. Expected to be a positive numeric value." end
        end
        if payload.exp and now > payload.exp + leeway then
          return "'exp' claim expired at " .. strict["ngx.http_time"](payload.exp)
        end
        if payload.nbf and now < payload.nbf - leeway then
          return "'nbf' claim not valid until " .. strict["ngx.http_time"](payload.nbf)
        end
      end
      local leeway = 0
      function jwt.set_system_leeway(_, seconds) leeway = tonumber(seconds) or 0 end
      function jwt.verify_jwt_obj(_, secret, object, ...)
        object.verified = false
        if not object.valid then return object end
        local allowed = jwt.allowed
        if allowed and not allowed[object.header.alg] then
          object.reason = "whitelist unsupported alg: " .. object.header.alg
          return object
        end
        if type(secret) == "function" then secret = secret(object.header.kid) end
        local ok, failure = token_signature(object.header.alg, secret, object.raw_header .. "." .. object.raw_payload,
          decode_url(object.signature) or "")
        if not ok then
          object.reason = failure or "signature mismatch: " .. object.signature
          return object
        end
        object.reason = check_times(object, leeway)
        for i = 1, select("#", ...) do
          local spec = select(i, ...)
          if not object.reason and type(spec) == "table" then
            for claim, check in pairs(spec) do
              if type(check) == "function" and claim ~= "__jwt" then
                local fine, result = pcall(check, object.payload[claim], claim, object)
                if not fine or result == false then
                  object.reason = fine and "Claim '" .. claim .. "' ('" .. tostring(object.payload[claim])
                    .. "') returned failure" or gsub(tostring(result), "^.-:%d+: ", "")
                  break
                end
              end
            end
          end
        end
        object.verified = object.reason == nil
        if object.verified then object.reason = "everything is awesome~ :p" end
        return object
      end
      function jwt.verify(_, secret, token, ...)
        return jwt.verify_jwt_obj(jwt, secret, jwt.load_jwt(jwt, token), ...)
      end
      function jwt.set_alg_whitelist(_, allowed) jwt.allowed = allowed end
      return jwt
    end
    modules["resty.jwt-validators"] = function()
      local validators = {}
      local function required(check)
        return function(value, claim)
          if value == nil then error("'" .. claim .. "' claim is required.", 0) end
          return check(value)
        end
      end
      local function optional(check)
        return function(value)
          if value == nil then return true end
          return check(value)
        end
      end
      local kinds = {
        equals = function(wanted) return function(value) return value == wanted end end,
        matches = function(pattern) return function(value) return find(tostring(value), pattern) ~= nil end end,
        any_of = function(list)
          return function(value)
            for _, item in ipairs(list) do if item == value then return true end end
            return false
          end
        end,
        contains_any_of = function(list)
          return function(value)
            for _, item in ipairs(type(value) == "table" and value or {value}) do
              for _, wanted in ipairs(list) do if item == wanted then return true end end
            end
            return false
          end
        end,
        greater_than = function(bound) return function(value) return value > bound end end,
        less_than = function(bound) return function(value) return value < bound end end,
        is_not_before = function() return function(value) return strict["ngx.time"]() >= value end end,
        is_not_expired = function() return function(value) return strict["ngx.time"]() < value end end,
      }
      for name, make in pairs(kinds) do
        validators[name] = function(...) return required(make(...)) end
        validators["opt_" .. name] = function(...) return optional(make(...)) end
      end
      validators.required = function(check)
        return required(check or function() return true end)
      end
      validators.set_system_leeway = function() end
      return validators
    end
    end

    """#
}
