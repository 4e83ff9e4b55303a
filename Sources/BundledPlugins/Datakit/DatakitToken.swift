import EntityModel

/// Tokens whose signature nobody looks at.
enum DatakitToken {
  /// Outputs: header, payload, signature. Source: RFC 7515 §3.1.
  static func decode(_ token: DatakitValue) throws(DatakitFailure) -> [DatakitValue] {
    guard let text = token.text else { throw DatakitFailure("there is no token") }
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3 else { throw DatakitFailure("the token does not have three parts") }
    return [try document(parts[0], "header"), try document(parts[1], "payload"), .json(.string(String(parts[2])))]
  }

  private static func document(_ part: Substring, _ name: String) throws(DatakitFailure) -> DatakitValue {
    guard let bytes = Base64Text.decodedURL(part), let json = try? JSONValue(parsing: bytes), json.object != nil else {
      throw DatakitFailure("the \(name) of the token is no JSON object")
    }
    return .json(json)
  }
}
