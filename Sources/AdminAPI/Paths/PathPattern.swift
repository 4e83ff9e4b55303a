/// The path of an endpoint with named parameters, for example `/services/{services}/routes`.
struct PathPattern: Sendable, Hashable {
  enum Segment: Sendable, Hashable {
    case literal(String)
    case parameter(String)
  }

  /// As it is written in the declaration and in `/endpoints`.
  let text: String
  let segments: [Segment]

  init(_ text: String) {
    self.text = text
    segments = text.split(separator: "/").map { segment in
      segment.hasPrefix("{") && segment.hasSuffix("}")
        ? .parameter(String(segment.dropFirst().dropLast())) : .literal(String(segment))
    }
  }

  /// The values of the parameters in order of the path, still encoded; nil if the path is another one.
  func match(_ path: some Collection<Substring>) -> [Substring]? {
    guard path.count == segments.count else { return nil }
    var values: [Substring] = []
    for (segment, given) in zip(segments, path) {
      switch segment {
      case .literal(let text): if given != text { return nil }
      case .parameter: values.append(given)
      }
    }
    return values
  }

  /// Whether this pattern is tried before the other: a literal before a parameter, from the left.
  func isMoreSpecific(than other: PathPattern) -> Bool {
    for (mine, theirs) in zip(segments, other.segments) {
      switch (mine, theirs) {
      case (.literal, .parameter): return true
      case (.parameter, .literal): return false
      default: continue
      }
    }
    return false
  }

  /// The order of `/endpoints`: by segments, each by its text.
  static func isListedBefore(_ left: PathPattern, _ right: PathPattern) -> Bool {
    left.text.split(separator: "/").lexicographicallyPrecedes(right.text.split(separator: "/"))
  }
}
