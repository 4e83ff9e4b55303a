import EntityModel

/// The words in which the configuration of openid-connect is declared.
enum OpenIDConnectFields {
  typealias Fields = [RecordSchema.NamedField]

  static func text(_ description: String, default value: JSONValue? = nil) -> FieldSchema {
    defaulting(.string.described(description), value)
  }

  static func texts(_ description: String, default value: JSONValue? = nil) -> FieldSchema {
    defaulting(.array(of: .string).described(description), value)
  }

  /// A list whose elements may be references to secrets.
  static func secrets(_ description: String, isEncrypted: Bool = false) -> FieldSchema {
    let list = FieldSchema.array(of: .string.asReferenceable()).described(description)
    return isEncrypted ? list.asEncrypted() : list
  }

  static func secret(_ description: String) -> FieldSchema {
    .string.asReferenceable().asEncrypted().described(description)
  }

  static func url(_ description: String) -> FieldSchema { CommonFields.url.described(description) }

  static func urls(_ description: String, isReferenceable: Bool = false) -> FieldSchema {
    .array(of: isReferenceable ? CommonFields.url.asReferenceable() : CommonFields.url).described(description)
  }

  static func flag(_ description: String, default value: Bool) -> FieldSchema {
    .boolean.defaulting(to: .bool(value)).described(description)
  }

  /// A switch that may be unset.
  static func choiceFlag(_ description: String) -> FieldSchema { .boolean.described(description) }

  static func number(_ description: String, default value: JSONValue? = nil) -> FieldSchema {
    defaulting(.number.described(description), value)
  }

  static func choice(_ description: String, _ values: [JSONValue], default value: JSONValue? = nil) -> FieldSchema {
    defaulting(.string.checked(by: .oneOf(values)).described(description), value)
  }

  static func choices(_ description: String, _ values: [JSONValue], default value: JSONValue? = nil) -> FieldSchema {
    defaulting(.array(of: .string.checked(by: .oneOf(values))).described(description), value)
  }

  private static func defaulting(_ field: FieldSchema, _ value: JSONValue?) -> FieldSchema {
    value.map { field.defaulting(to: $0) } ?? field
  }

  // MARK: Values

  static let methods: [JSONValue] = [
    "password", "client_credentials", "authorization_code", "bearer", "introspection", "userinfo", "kong_oauth2",
    "refresh_token", "session",
  ]
  static let places: [JSONValue] = ["header", "query", "body"]
  static let clientAuthentications: [JSONValue] = [
    "client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "tls_client_auth",
    "self_signed_tls_client_auth", "none",
  ]
  static let algorithms: [JSONValue] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512",
    "EdDSA",
  ]
  static let sameSite: [JSONValue] = ["Strict", "Lax", "None", "Default"]
  static let sessionHeaders: [JSONValue] = [
    "id", "audience", "subject", "timeout", "idling-timeout", "rolling-timeout", "absolute-timeout",
  ]
}

extension FieldSchema {
  /// A field that is known but cannot be honoured: every value that is set to something else than these is refused.
  func unavailable(_ sentence: String, unless harmless: JSONValue...) -> FieldSchema {
    checked(by: .custom("unavailable") { value in value.isNull || harmless.contains(value) ? nil : sentence })
  }

  /// A field of which some values, or elements of its list, cannot be honoured.
  func unavailable(_ values: Set<JSONValue>, _ sentence: String) -> FieldSchema {
    checked(
      by: .custom("unavailable") { value in
        (value.array ?? [value]).contains(where: values.contains) ? sentence : nil
      })
  }
}
