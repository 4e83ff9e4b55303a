/// A version of a node or plugin: up to four numbers, what follows them ignored (`3.15.0.0-enterprise-edition`).
public struct NodeVersion: Sendable, Hashable, Comparable {
  let components: [Int]

  /// Nil without at least `minimum` numbers.
  public init?(_ text: String, minimum: Int = 3) {
    var components: [Int] = []
    var rest = Substring(text)
    while components.count < 4 {
      let digits = rest.prefix { $0.isASCII && $0.isNumber }
      guard (1...6).contains(digits.utf8.count), let number = Int(digits) else { break }
      components.append(number)
      rest = rest.dropFirst(digits.count)
      guard rest.first == "." else { break }
      rest = rest.dropFirst()
    }
    guard components.count >= minimum else { return nil }
    self.components = components + Array(repeating: 0, count: 4 - components.count)
  }

  var major: Int { components[0] }
  var minor: Int { components[1] }

  public static func < (left: NodeVersion, right: NodeVersion) -> Bool {
    left.components.lexicographicallyPrecedes(right.components)
  }
}
