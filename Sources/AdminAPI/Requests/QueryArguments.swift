/// The arguments of a query string or of a form, decoded, in the order in which they were sent.
struct QueryArguments: Sendable, Equatable {
  /// One `name=value`; the value is nil where there is no `=`.
  struct Argument: Sendable, Equatable {
    var name: String
    var value: String?
  }

  /// Most arguments that one query or one body may have. Source: Kong fact, admin-api §1.
  static let maximumCount = 1000

  var arguments: [Argument]

  init(_ arguments: [Argument] = []) { self.arguments = arguments }

  /// - Throws: `AdminRefusal` (400) for too many arguments and for bytes that are not UTF-8.
  init(parsing text: some StringProtocol, source: String) throws(AdminRefusal) {
    arguments = []
    for piece in text.utf8.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: true) {
      guard arguments.count < Self.maximumCount else { throw .tooManyArguments }
      let bytes = Array(piece)
      let equals = bytes.firstIndex(of: UInt8(ascii: "="))
      let name = PercentCoding.decodedBytes(bytes[..<(equals ?? bytes.endIndex)], plusAsSpace: true)
      guard let name = String(validating: name, as: UTF8.self) else {
        throw .message(400, "the name of argument \(arguments.count + 1) of the \(source) is not valid UTF-8")
      }
      guard let equals else {
        arguments.append(Argument(name: name, value: nil))
        continue
      }
      let value = PercentCoding.decodedBytes(bytes[(equals + 1)...], plusAsSpace: true)
      guard let value = String(validating: value, as: UTF8.self) else {
        throw .message(400, "the value of argument '\(name)' of the \(source) is not valid UTF-8")
      }
      arguments.append(Argument(name: name, value: value))
    }
  }

  /// The first argument of that name; the empty string where it has no value.
  subscript(name: String) -> String? {
    arguments.first { $0.name == name }.map { $0.value ?? "" }
  }

  /// Whether the argument is given with a value that means yes: `1`, `true`, `on` or `yes`.
  func isSet(_ name: String) -> Bool {
    ["1", "true", "on", "yes"].contains(self[name])
  }
}
