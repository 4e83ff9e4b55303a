import PluginKit

/// The kinds of bodies that plugins look into.
enum MediaKind {
  case json, form, multipart

  /// By the media types that a request's `Content-Type` mentions; nil for any other.
  init?(ofRequest headers: HeaderBlock) {
    guard let type = headers.first("content-type")?.lowercased() else { return nil }
    if type.contains("application/json") {
      self = .json
    } else if type.contains("multipart/form-data") {
      self = .multipart
    } else if type.contains("application/x-www-form-urlencoded") {
      self = .form
    } else {
      return nil
    }
  }

  /// Whether a response's `Content-Type` is JSON: `application/json` or a subtype that ends with `+json`.
  static func isJSON(_ contentType: String?) -> Bool {
    guard let contentType else { return false }
    let end = contentType.firstIndex(of: ";") ?? contentType.endIndex
    let type = contentType[..<end].lowercased().filter { $0 != " " && $0 != "\t" }
    return type == "application/json" || (type.hasPrefix("application/") && type.hasSuffix("+json"))
  }
}
