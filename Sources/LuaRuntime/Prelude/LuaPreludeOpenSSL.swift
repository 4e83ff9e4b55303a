extension LuaPreludeText {
  /// Text of the runtime's Lua code: digests, ciphers, key derivation and keys under the names of `resty.openssl`.
  ///
  /// Objects hold bytes only; each operation hands them to the host. Source: Kong fact, pdk §8.
  static let openSSL = #"""
    do
    -- Objects of one kind, and the test for them. Nobody gets hold of the table of methods, which all states share.
    local function class(methods)
      local metatable, members = {__index = methods, __metatable = false}, setmetatable({}, {__mode = "k"})
      return function(object)
        members[object] = true
        return setmetatable(object, metatable)
      end, function(value) return type(value) == "table" and members[value] == true end
    end

    local function gather(self, ...)
      for i = 1, select("#", ...) do
        local part = select(i, ...)
        if type(part) ~= "string" then return nil, "expect a string, got " .. type(part) end
        self.parts[#self.parts + 1] = part
      end
      return true
    end

    local digest_methods = {}
    local make_digest_object, is_digest = class(digest_methods)
    digest_methods.update = gather
    function digest_methods:final(last)
      if last then gather(self, last) end
      return internal["crypto.digest"](self.name, concat(self.parts))
    end
    function digest_methods:reset()
      self.parts = {}
      return true
    end
    modules["resty.openssl.digest"] = function()
      return {
        new = function(name)
          name = name or "sha1"
          local _, failure = internal["crypto.digest"](name, "")
          if failure then return nil, "digest.new: invalid digest type \"" .. tostring(name) .. "\"" end
          return make_digest_object {name = name, parts = {}}
        end,
        istype = is_digest,
      }
    end

    local hmac_methods = {}
    local make_hmac_object, is_hmac = class(hmac_methods)
    hmac_methods.update = gather
    function hmac_methods:final(last)
      if last then gather(self, last) end
      return internal["crypto.hmac"](self.name, self.key, concat(self.parts))
    end
    hmac_methods.reset = digest_methods.reset
    local function new_hmac(key, name)
      if type(key) ~= "string" then return nil, "hmac.new: expect a string as key" end
      name = name or "sha1"
      local _, failure = internal["crypto.hmac"](name, key, "")
      if failure then return nil, "hmac.new: invalid digest type \"" .. tostring(name) .. "\"" end
      return make_hmac_object {name = name, key = key, parts = {}}
    end
    modules["resty.openssl.hmac"] = function() return {new = new_hmac, istype = is_hmac} end
    modules["resty.openssl.mac"] = function()
      return {
        new = function(key, kind, _, name)
          if kind ~= "HMAC" then return nil, "mac.new: only HMAC is supported" end
          return new_hmac(key, name or "sha1")
        end,
      }
    end
    -- The small module of the same name, with its own methods.
    modules["resty.hmac"] = function()
      local names = {"md5", "sha1", "sha256", "sha512"}
      return {
        ALGOS = {MD5 = "md5", SHA1 = "sha1", SHA256 = "sha256", SHA512 = "sha512"},
        new = function(_, key, algorithm)
          local hmac = new_hmac(key, algorithm or names[1])
          if not hmac then return nil end
          local object = {}
          function object.update(_, text) return hmac:update(text) end
          function object.final(_, text, as_hex)
            local code = hmac:final(text)
            return as_hex and to_hex(code) or code
          end
          function object.reset() return hmac:reset() end
          return object
        end,
      }
    end

    local cipher_methods = {}
    local make_cipher, is_cipher = class(cipher_methods)
    local function run_cipher(self, encrypts, key, iv, text, no_padding, additional, tag)
      local result, made = internal["crypto.cipher"](self.name, encrypts, key, iv or "", text, no_padding, additional, tag)
      if not result then return nil, "cipher: " .. made end
      self.tag = made
      return result
    end
    function cipher_methods:encrypt(key, iv, text, no_padding, additional)
      return run_cipher(self, true, key, iv, text, no_padding, additional)
    end
    function cipher_methods:decrypt(key, iv, text, no_padding, additional, tag)
      return run_cipher(self, false, key, iv, text, no_padding, additional, tag)
    end
    function cipher_methods:init(key, iv, options)
      options = options or {}
      if type(key) ~= "string" or #key ~= self.key_size then
        return false, "cipher:init: incorrect key size, expect " .. self.key_size
      end
      self.state = {key = key, iv = iv or "", encrypts = options.is_encrypt, no_padding = options.no_padding, parts = {}}
      return true
    end
    function cipher_methods:update_aead_aad(additional)
      if not self.state then return false, "cipher:update_aead_aad: cipher not initalized" end
      self.state.additional = (self.state.additional or "") .. additional
      return true
    end
    function cipher_methods:set_aead_tag(tag)
      if not self.state then return nil, "cipher:set_aead_tag: cipher not initalized" end
      self.state.tag = tag
      return true
    end
    function cipher_methods:get_aead_tag(size)
      if not self.tag then return nil, "cipher:get_aead_tag: no tag" end
      return sub(self.tag, 1, size or 16)
    end
    -- What goes in comes out at the end.
    function cipher_methods:update(...)
      if not self.state then return nil, "cipher:update: cipher not initalized" end
      local ok, failure = gather(self.state, ...)
      if not ok then return nil, failure end
      return ""
    end
    function cipher_methods:final(text)
      local state = self.state
      if not state then return nil, "cipher:final: cipher not initalized" end
      if text then gather(state, text) end
      self.state = nil
      return run_cipher(self, state.encrypts, state.key, state.iv, concat(state.parts), state.no_padding,
        state.additional, state.tag)
    end
    local function new_cipher(name)
      if type(name) ~= "string" then return nil, "cipher.new: expect type to be defined" end
      local key_size, iv_size, block_size = internal["crypto.cipher_facts"](name)
      if not key_size then return nil, "cipher.new: invalid cipher type \"" .. name .. "\"" end
      return make_cipher {name = name, key_size = key_size, iv_size = iv_size,
        block_size = block_size}
    end
    modules["resty.openssl.cipher"] = function() return {new = new_cipher, istype = is_cipher} end

    -- resty.aes: AES whose key is given, or derived from a passphrase as OpenSSL's BytesToKey does.
    modules["resty.aes"] = function()
      local aes = {hash = {md5 = "md5", sha1 = "sha1", sha224 = "sha224", sha256 = "sha256", sha384 = "sha384",
        sha512 = "sha512"}}
      function aes.cipher(size, mode)
        return {size = size or 128, mode = lower(mode or "cbc")}
      end
      local function bytes_to_key(digest, rounds, key, salt, key_size, iv_size)
        local made, last = "", ""
        while #made < key_size + iv_size do
          last = internal["crypto.digest"](digest, last .. key .. (salt or ""))
          for _ = 2, rounds do last = internal["crypto.digest"](digest, last) end
          made = made .. last
        end
        return sub(made, 1, key_size), sub(made, key_size + 1, key_size + iv_size)
      end
      function aes.new(_, key, salt, cipher, hash, rounds)
        cipher = cipher or aes.cipher()
        local made, failure = new_cipher("aes-" .. cipher.size .. "-" .. cipher.mode)
        if not made then return nil, failure end
        local own, iv
        if type(hash) == "table" then
          if not hash.iv then return nil, "no iv" end
          if hash.method then own = hash.method(key) else own = key end
          if #own ~= made.key_size then return nil, "bad key length" end
          iv = sub(hash.iv, 1, made.iv_size)
          if #iv < made.iv_size then return nil, "bad iv length" end
        else
          if salt and #salt ~= 8 then return nil, "salt must be 8 characters or nil" end
          if (tonumber(rounds) or 1) > 10000 then return nil, "too many rounds" end
          own, iv = bytes_to_key(hash or "md5", tonumber(rounds) or 1, key, salt, made.key_size, made.iv_size)
        end
        local object = {}
        function object.encrypt(_, text)
          local result = made:encrypt(own, iv, text)
          if result and made.tag then return {result, made.tag} end
          return result
        end
        function object.decrypt(_, text, tag) return (made:decrypt(own, iv, text, nil, nil, tag)) end
        return object
      end
      return aes
    end

    modules["resty.openssl.rand"] = function()
      return {bytes = function(count) return internal["text.random_bytes"](count) end}
    end

    modules["resty.openssl.kdf"] = function()
      local kdf = {PBKDF2 = "PBKDF2", HKDF = "HKDF", SCRYPT = "SCRYPT", TLS1_PRF = "TLS1-PRF",
        HKDEF_MODE_EXTRACT_AND_EXPAND = 0, HKDEF_MODE_EXTRACT_ONLY = 1, HKDEF_MODE_EXPAND_ONLY = 2}
      local function derive(options)
        return internal["crypto.derive"](options)
      end
      function kdf.derive(options)
        if type(options) ~= "table" then return nil, "kdf.derive: expect a table as argument" end
        local kind = options.type
        if kind ~= "PBKDF2" and kind ~= "HKDF" and kind ~= "SCRYPT" and kind ~= "TLS1-PRF" then
          return nil, "kdf.derive: unknown type " .. tostring(kind)
        end
        if type(options.outlen) ~= "number" then return nil, "kdf.derive: \"outlen\" must be a number" end
        return derive {
          kind = kind, length = options.outlen, digest = options.md or "sha1",
          secret = options.hkdf_key or options.tls1_prf_secret or options.pass, salt = options.tls1_prf_seed or options.salt,
          info = options.hkdf_info, mode = options.hkdf_mode or 0, iterations = options.pbkdf2_iter or 1,
          cost = options.scrypt_N or 1, block_size = options.scrypt_r or 8, parallelism = options.scrypt_p or 1,
        }
      end
      function kdf.new(name)
        local kind = tostring(name):upper():gsub("_", "-")
        if kind ~= "PBKDF2" and kind ~= "HKDF" and kind ~= "SCRYPT" and kind ~= "TLS1-PRF" then
          return nil, "kdf.new: invalid KDF type \"" .. tostring(name) .. "\""
        end
        local object = {}
        function object.derive(_, length, options)
          options = options or {}
          local modes = {EXTRACT_AND_EXPAND = 0, EXTRACT_ONLY = 1, EXPAND_ONLY = 2}
          return derive {
            kind = kind, length = length, digest = options.digest or options.md or "sha1",
            secret = options.pass or options.key or options.secret, salt = options.salt or options.seed, info = options.info,
            mode = modes[options.mode] or tonumber(options.mode) or 0, iterations = options.iter or 1,
            cost = options.n or options.N or 1, block_size = options.r or 8, parallelism = options.p or 1,
          }
        end
        return object
      end
      return kdf
    end

    -- Numbers of keys and certificates: bytes, and how they are written.
    local number_methods = {}
    local make_number = class(number_methods)
    function number_methods:to_binary() return self.bytes end
    function number_methods:to_hex() return (to_hex(self.bytes):upper()) end
    function number_methods:to_number()
      local value = 0
      for i = 1, #self.bytes do value = value * 256 + byte(self.bytes, i) end
      return value
    end
    function number_methods:to_dec()
      local digits = {0}
      for i = 1, #self.bytes do
        local carry = byte(self.bytes, i)
        for place = 1, #digits do
          local value = digits[place] * 256 + carry
          digits[place] = value % 10000000
          carry = math.floor(value / 10000000)
        end
        while carry > 0 do
          digits[#digits + 1] = carry % 10000000
          carry = math.floor(carry / 10000000)
        end
      end
      local parts = {tostring(digits[#digits])}
      for place = #digits - 1, 1, -1 do parts[#parts + 1] = format("%07d", digits[place]) end
      return concat(parts)
    end
    local function number(bytes) return make_number {bytes = bytes} end

    -- Keys.
    local encode_url, decode_url = internal["text.encode_base64url"], internal["text.decode_base64url"]
    local curves = {["P-256"] = "prime256v1", ["P-384"] = "secp384r1", ["P-521"] = "secp521r1", secp256k1 = "secp256k1"}
    local curve_sizes = {prime256v1 = 32, secp384r1 = 48, secp521r1 = 66, secp256k1 = 32}
    local function pad(bytes, size) return rep("\0", size - #bytes) .. bytes end

    local key_methods = {}
    local make_key, is_key = class(key_methods)
    local function new_key(private, public)
      local is_private = #private > 0
      local kind, bits, identifier = internal["crypto.key_facts"](is_private and private or public, is_private)
      if not kind then return nil, bits end
      return make_key {private = is_private and private or nil, public = public, kind = kind,
        bits = bits, identifier = identifier}
    end
    local function made_key(private, public)
      if not private then return nil, "pkey.new: " .. tostring(public) end
      return new_key(private, public)
    end
    local function key_from_jwk(text)
      local ok, jwk = pcall(json.decode, text)
      if not ok or type(jwk) ~= "table" then return nil, "pkey.new: the JWK is no JSON object" end
      local numbers, is_private = {}, jwk.d ~= nil
      local function take(name, member)
        if jwk[member] then numbers[name] = decode_url(jwk[member]) end
      end
      if jwk.kty == "RSA" then
        take("n", "n") take("e", "e") take("d", "d") take("rsa-factor1", "p") take("rsa-factor2", "q")
        take("rsa-exponent1", "dp") take("rsa-exponent2", "dq") take("rsa-coefficient1", "qi")
        return made_key(internal["crypto.key_make"]("RSA", numbers, is_private))
      elseif jwk.kty == "EC" then
        local curve = curves[jwk.crv]
        if not curve or not jwk.x or not jwk.y then return nil, "pkey.new: unknown curve, or x or y is missing" end
        local size = curve_sizes[curve]
        numbers.group = curve
        numbers.pub = "\4" .. pad(decode_url(jwk.x) or "", size) .. pad(decode_url(jwk.y) or "", size)
        take("priv", "d")
        return made_key(internal["crypto.key_make"]("EC", numbers, is_private))
      elseif jwk.kty == "OKP" then
        local kind = jwk.crv == "Ed25519" and "ED25519" or jwk.crv
        take("pub", "x") take("priv", "d")
        return made_key(internal["crypto.key_make"](kind, numbers, is_private))
      end
      return nil, "pkey.new: unknown kty in the JWK"
    end
    local function read_key(text, options)
      options = type(options) == "table" and options or {format = options}
      if options.format == "JWK" then return key_from_jwk(text) end
      return made_key(internal["crypto.key_read"](text, options.passphrase))
    end
    local function generate_key(options)
      local kind = options.type or "RSA"
      if options.n or options.params then return nil, "pkey.new: keys are not composed of parameters here; give a JWK" end
      return made_key(internal["crypto.key_generate"](kind, tonumber(options.bits) or 2048,
        options.curve or "prime256v1"))
    end

    local function jwk_of(self, wants_private)
      local key, is_private = self.private or self.public, self.private ~= nil
      local function get(name)
        local bytes = internal["crypto.key_parameter"](key, is_private, name)
        return bytes and encode_url(bytes) or nil
      end
      local jwk
      if self.kind == "RSA" then
        jwk = {kty = "RSA", n = get("n"), e = get("e")}
        if wants_private then
          jwk.d, jwk.p, jwk.q = get("d"), get("rsa-factor1"), get("rsa-factor2")
          jwk.dp, jwk.dq, jwk.qi = get("rsa-exponent1"), get("rsa-exponent2"), get("rsa-coefficient1")
        end
      elseif self.kind == "EC" then
        local curve = internal["crypto.key_parameter"](key, is_private, "group")
        local size = curve_sizes[curve]
        if not size then return nil, "no JWK for keys of the curve " .. tostring(curve) end
        local function coordinate(name)
          return encode_url(pad(internal["crypto.key_parameter"](key, is_private, name), size))
        end
        jwk = {kty = "EC", x = coordinate("qx"), y = coordinate("qy")}
        for name, known in pairs(curves) do if known == curve then jwk.crv = name end end
        if wants_private then jwk.d = coordinate("priv") end
      else
        jwk = {kty = "OKP", crv = self.kind == "ED25519" and "Ed25519" or self.kind, x = get("pub")}
        if wants_private then jwk.d = get("priv") end
      end
      return json.encode(jwk)
    end
    function key_methods:tostring(which, fmt, is_pkcs1)
      local wants_private = which == "private" or which == "PrivateKey"
      if wants_private and not self.private then return nil, "pkey:tostring: not a private key" end
      local bytes = wants_private and self.private or self.public
      if fmt == "DER" then return bytes end
      if fmt == "JWK" then return jwk_of(self, wants_private) end
      return internal["crypto.key_pem"](bytes, wants_private, is_pkcs1)
    end
    function key_methods:to_PEM(which, is_pkcs1) return self:tostring(which, "PEM", is_pkcs1) end
    function key_methods:is_private() return self.private ~= nil end
    function key_methods:get_key_type()
      return {nid = self.identifier, id = tostring(self.identifier), sn = self.kind, ln = self.kind}
    end
    function key_methods:get_size() return math.floor((self.bits + 7) / 8) end
    function key_methods:get_default_digest_type() return {sn = "SHA256", ln = "sha256"} end
    function key_methods:get_parameters()
      local key, is_private = self.private or self.public, self.private ~= nil
      local names = self.kind == "RSA" and {n = "n", e = "e", d = "d", p = "rsa-factor1", q = "rsa-factor2"}
        or self.kind == "EC" and {x = "qx", y = "qy", private = "priv"} or {public = "pub", private = "priv"}
      local parameters = {}
      for name, own in pairs(names) do
        local bytes = internal["crypto.key_parameter"](key, is_private, own)
        if bytes then parameters[name] = (self.kind == "RSA" or self.kind == "EC") and number(bytes) or bytes end
      end
      if self.kind == "EC" then parameters.group = internal["crypto.key_parameter"](key, is_private, "group") end
      return parameters
    end

    -- ECDSA signatures as two numbers side by side, and as DER.
    local function raw_from_der(signature, size)
      local place = byte(signature, 2) > 0x80 and 4 or 3
      local numbers = {}
      for i = 1, 2 do
        local length = byte(signature, place + 1) or 0
        numbers[i] = sub(signature, place + 2, place + 1 + length):gsub("^%z+", "")
        place = place + 2 + length
      end
      return pad(numbers[1], size) .. pad(numbers[2], size)
    end
    local function der_from_raw(signature)
      local half = #signature / 2
      local function integer(bytes)
        bytes = bytes:gsub("^%z+", "")
        if bytes == "" then bytes = "\0" end
        if byte(bytes) >= 0x80 then bytes = "\0" .. bytes end
        return "\2" .. string.char(#bytes) .. bytes
      end
      local body = integer(sub(signature, 1, half)) .. integer(sub(signature, half + 1))
      return "\48" .. (#body >= 0x80 and "\129" or "") .. string.char(#body) .. body
    end

    local function signed_text(text, digest)
      if is_digest(text) then return concat(text.parts), text.name end
      if type(text) ~= "string" then return nil, "expect a digest object or a string" end
      return text, digest or ""
    end
    local function salt_length(options) return options and tonumber(options.pss_saltlen) or -100 end
    function key_methods:sign(text, digest, padding, options)
      if not self.private then return nil, "pkey:sign: not a private key" end
      local message, name = signed_text(text, digest)
      if not message then return nil, "pkey:sign: " .. name end
      local signature, failure = internal["crypto.sign"](self.private, message, name, padding, salt_length(options), false)
      if not signature then return nil, "pkey:sign: " .. failure end
      if self.kind == "EC" and options and options.ecdsa_use_raw then
        return raw_from_der(signature, math.floor((self.bits + 7) / 8))
      end
      return signature
    end
    function key_methods:verify(signature, text, digest, padding, options)
      local message, name = signed_text(text, digest)
      if not message then return nil, "pkey:verify: " .. name end
      if type(signature) ~= "string" then return nil, "pkey:verify: expect a string as signature" end
      if self.kind == "EC" and options and options.ecdsa_use_raw then
        if #signature % 2 == 1 or #signature == 0 or #signature > 250 then return false end
        signature = der_from_raw(signature)
      end
      return internal["crypto.verify"](self.public, signature, message, name, padding, salt_length(options), false)
    end
    function key_methods:sign_raw(text, padding, options)
      if not self.private then return nil, "pkey:sign_raw: not a private key" end
      return internal["crypto.sign"](self.private, text, options and options.md or "", padding, salt_length(options), true)
    end
    function key_methods:verify_raw(signature, text, digest, padding, options)
      return internal["crypto.verify"](self.public, signature, text, digest or "", padding, salt_length(options), true)
    end
    function key_methods:encrypt(text, padding, options)
      return internal["crypto.transform"](self.public, true, text, padding, options and options.oaep_md or "")
    end
    function key_methods:decrypt(text, padding, options)
      if not self.private then return nil, "pkey:decrypt: not a private key" end
      return internal["crypto.transform"](self.private, false, text, padding, options and options.oaep_md or "")
    end
    function key_methods:derive(peer)
      if not is_key(peer) then return nil, "pkey:derive: expect a pkey instance" end
      if not self.private then return nil, "pkey:derive: not a private key" end
      return internal["crypto.agree"](self.private, peer.public)
    end
    function key_methods:__private_pem() return self.private and self:tostring("private") end

    local function pkey_new(value, options)
      if value == nil or type(value) == "table" then return generate_key(value or {}) end
      if type(value) ~= "string" then return nil, "pkey.new: unexpected type " .. type(value) end
      return read_key(value, options)
    end
    modules["resty.openssl.pkey"] = function()
      return {
        new = pkey_new, istype = is_key,
        PADDINGS = {RSA_PKCS1_PADDING = 1, RSA_NO_PADDING = 3, RSA_PKCS1_OAEP_PADDING = 4, RSA_PKCS1_PSS_PADDING = 6},
      }
    end

    """#
}
