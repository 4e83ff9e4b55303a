import EntityModel

/// Reads what the handler chunk of a streamed plugin returned: its priority, its version and its phases.
///
/// Source: Kong fact, plugin-entity §4 and §8.
struct HandlerReader {
  /// The phases that a streamed plugin can have, in the order of a request.
  static let phases = ["certificate", "rewrite", "access", "response", "header_filter", "body_filter", "log"]

  /// Phases that Kong has and streamed plugins do not, with the reason.
  private static let refusedPhases: [String: String] = {
    let stream = "it belongs to stream proxying"
    let webSocket = "it belongs to WebSocket services"
    let start = "a streamed plugin is loaded while the gateway is serving; prepare what you need on first use"
    return [
      "init_worker": start, "init": start, "configure": start, "preread": stream,
      "ws_handshake": webSocket, "ws_client_frame": webSocket, "ws_upstream_frame": webSocket, "ws_close": webSocket,
      "balancer": "it belongs to the gateway", "client_hello": "it belongs to the gateway",
      "timer": "streamed plugins have no timers", "content": "it belongs to the gateway",
    ]
  }()

  private var problems: [String] = []

  private init() {}

  static func read(
    _ tree: SchemaTree
  ) throws(ChunkInspection.Refusal) -> (priority: Int, version: String, phases: [String]) {
    guard case .table(let entries) = tree else {
      throw ChunkInspection.Refusal(
        message: "the handler chunk must return a table, but it returned \(tree.typeDescription)")
    }
    var reader = HandlerReader()
    let priority = reader.readPriority(tree["PRIORITY"])
    let version = reader.readVersion(tree["VERSION"])
    let phases = reader.readPhases(entries)
    guard reader.problems.isEmpty, let priority, let version else {
      throw ChunkInspection.Refusal(message: reader.problems.joined(separator: "; "))
    }
    return (priority, version, phases)
  }

  private mutating func readPriority(_ tree: SchemaTree?) -> Int? {
    switch tree {
    case nil:
      problems.append("PRIORITY is missing; set it to an integer, plugins run in descending order of it")
    case .number(let number):
      // Kong's priorities are 32 bits wide.
      if let priority = Int32(exactly: number) { return Int(priority) }
      problems.append(
        "PRIORITY must be an integer of 32 bits, but it is \(number.isNaN ? "not a number" : "\(number)")")
    case .some(let tree):
      problems.append("PRIORITY must be an integer, but it is \(tree.typeDescription)")
    }
    return nil
  }

  private mutating func readVersion(_ tree: SchemaTree?) -> String? {
    switch tree {
    case nil:
      problems.append("VERSION is missing; set it to a string such as \"1.0.0\"")
      return nil
    case .string(let text):
      let version = Self.versionNumber(in: text)
      if version.isEmpty {
        problems.append("VERSION must contain a number such as \"1.0.0\", but it is \"\(text.prefix(100))\"")
        return nil
      }
      if version.split(separator: ".").count > 3 {
        problems.append(
          "VERSION may have at most three numbers (major, minor, patch), but it is \"\(version.prefix(100))\"")
        return nil
      }
      return version
    case .some(let tree):
      problems.append("VERSION must be a string such as \"1.0.0\", but it is \(tree.typeDescription)")
      return nil
    }
  }

  /// The first run of digits with dots between them: `1.0` of `1.0,0`, `2` of `v2-beta`.
  static func versionNumber(in text: String) -> String {
    func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
    let bytes = Array(text.utf8.drop { !isDigit($0) })
    var end = 0
    while end < bytes.count {
      let isDot = bytes[end] == UInt8(ascii: ".") && end + 1 < bytes.count && isDigit(bytes[end + 1])
      guard isDigit(bytes[end]) || isDot else { break }
      end += 1
    }
    return String(decoding: bytes[..<end], as: UTF8.self)
  }

  private mutating func readPhases(_ entries: [SchemaTree.Entry]) -> [String] {
    var found: [String: Int?] = [:]
    var mistakes: [(line: Int, sentence: String)] = []
    for entry in entries {
      guard case .name(let name) = entry.key else { continue }
      guard case .function(let line) = entry.value else {
        if Self.phases.contains(name) {
          mistakes.append((0, "'\(name)' must be a function, but it is \(entry.value.typeDescription)"))
        }
        continue
      }
      if Self.phases.contains(name) {
        found[name] = line
        continue
      }
      let place = line.map { "line \($0): " } ?? ""
      if let reason = Self.refusedPhases[name] {
        mistakes.append(
          (line ?? 0, "\(place)a streamed plugin cannot have the phase '\(name)': \(reason). \(Self.listOfPhases)"))
      } else if let phase = Self.phase(meantBy: name) {
        mistakes.append((line ?? 0, "\(place)'\(name)' is not a phase; did you mean '\(phase)'? \(Self.listOfPhases)"))
      }
    }
    problems += mistakes.sorted { ($0.line, $0.sentence) < ($1.line, $1.sentence) }.map(\.sentence)

    let filters = ["header_filter", "body_filter"].filter { found[$0] != nil }
    if found["response"] != nil, !filters.isEmpty {
      let names = filters.map { "'\($0)'" }.joined(separator: " and ")
      problems.append(
        "the handler implements both 'response' and \(names); 'response' gets the whole response, so do the work of "
          + "the filters there")
    }
    if found.isEmpty, mistakes.isEmpty {
      problems.append("the handler has no function for any phase. \(Self.listOfPhases)")
    }
    return Self.phases.filter { found[$0] != nil }
  }

  private static let listOfPhases = "The phases are: \(phases.joined(separator: ", "))"

  /// The phase that a name resembles: written in another way, or with one letter added, missing, wrong or swapped.
  static func phase(meantBy name: String) -> String? {
    // A leading underscore marks a helper on purpose.
    guard !name.hasPrefix("_") else { return nil }
    let letters = plainLetters(name)
    return phases.first { phase in
      let wanted = plainLetters(phase)
      if letters == wanted { return true }
      // One wrong letter in 'log' makes too many honest words.
      if wanted.count <= 3 { return name == phase + "s" }
      return isOneEditApart(letters, wanted)
    }
  }

  private static func plainLetters(_ name: String) -> [Character] {
    name.lowercased().filter { $0 != "_" && $0 != "-" }
  }

  private static func isOneEditApart(_ first: [Character], _ second: [Character]) -> Bool {
    var start = 0
    while start < min(first.count, second.count), first[start] == second[start] { start += 1 }
    let rest = (Array(first[start...]), Array(second[start...]))
    switch rest.0.count - rest.1.count {
    case 1: return Array(rest.0.dropFirst()) == rest.1
    case -1: return rest.0 == Array(rest.1.dropFirst())
    case 0:
      if rest.0.dropFirst() == rest.1.dropFirst() { return true }
      return rest.0.count >= 2 && rest.0[0] == rest.1[1] && rest.0[1] == rest.1[0]
        && rest.0.dropFirst(2) == rest.1.dropFirst(2)
    default: return false
    }
  }
}
