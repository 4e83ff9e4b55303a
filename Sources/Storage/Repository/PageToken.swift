import EntityModel
import Foundation

/// The opaque `offset` of a list: base64 of JSON, as Kong's.
enum PageToken {
  static func text(_ values: [String]) -> String {
    Data(JSONValue.array(values.map(JSONValue.string)).serialized()).base64EncodedString()
  }

  /// Source: Kong fact, admin-api §3, and recorded answers for the texts.
  static func values(of text: String, count: Int) throws(EntityError) -> [String] {
    guard let data = Data(base64Encoded: text) else { throw invalid(text, "bad base64 encoding") }
    guard let values = (try? JSONValue(parsing: data))?.array else { throw invalid(text, "bad json encoding") }
    let strings = values.compactMap(\.string)
    guard strings.count == count, strings.count == values.count else { throw invalid(text, "bad offset content") }
    return strings
  }

  private static func invalid(_ text: String, _ reason: String) -> EntityError {
    .invalidOffset(text, reason: reason)
  }
}
