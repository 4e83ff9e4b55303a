/// A body of `multipart/form-data` (RFC 7578) whose parts can be removed, renamed and set.
struct MultipartBody {
  struct Part {
    var name: String
    /// Header lines without the one of `Content-Disposition`.
    var headers: [[UInt8]]
    /// Parameters of `Content-Disposition` after the name, for example a file name, as received.
    var dispositionRest: String
    var content: [UInt8]
  }

  private let boundary: [UInt8]
  private(set) var parts: [Part] = []

  /// Nil if the content type has no boundary or the body is not made with it. An empty body has no parts.
  init?(_ body: some Collection<UInt8>, contentType: String) {
    guard let boundary = Self.boundary(in: contentType) else { return nil }
    self.boundary = Array(boundary.utf8)
    let bytes = Array(body)
    if bytes.isEmpty { return }
    let delimiter = Array("--".utf8) + self.boundary
    guard var place = Self.find(delimiter, in: bytes, from: 0) else { return nil }
    while true {
      place += delimiter.count
      // `--` after the delimiter ends the body.
      if bytes[place...].starts(with: "--".utf8) { return }
      guard let lineEnd = Self.find([0x0D, 0x0A], in: bytes, from: place),
        let next = Self.find([0x0D, 0x0A] + delimiter, in: bytes, from: lineEnd)
      else { return nil }
      guard let part = Self.part(Array(bytes[min(lineEnd + 2, next)..<next])) else { return nil }
      parts.append(part)
      place = next + 2
    }
  }

  private static func boundary(in contentType: String) -> String? {
    for parameter in contentType.split(separator: ";").dropFirst() {
      let pair = parameter.split(separator: "=", maxSplits: 1)
      guard pair.count == 2, pair[0].filter({ $0 != " " }).lowercased() == "boundary" else { continue }
      let value = pair[1].filter { $0 != "\"" && $0 != " " }
      return value.isEmpty ? nil : String(value)
    }
    return nil
  }

  private static func find(_ needle: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
    guard let first = needle.first else { return nil }
    var place = start
    while place + needle.count <= bytes.count {
      if bytes[place] == first, bytes[place..<(place + needle.count)].elementsEqual(needle) { return place }
      place += 1
    }
    return nil
  }

  private static func part(_ bytes: [UInt8]) -> Part? {
    let headerEnd: Int
    let contentStart: Int
    if bytes.starts(with: [0x0D, 0x0A]) {
      headerEnd = 0
      contentStart = 2
    } else {
      guard let end = find([0x0D, 0x0A, 0x0D, 0x0A], in: bytes, from: 0) else { return nil }
      headerEnd = end
      contentStart = end + 4
    }
    var part = Part(name: "", headers: [], dispositionRest: "", content: Array(bytes[contentStart...]))
    var start = 0
    while start < headerEnd {
      let end = find([0x0D, 0x0A], in: bytes, from: start) ?? headerEnd
      let line = Array(bytes[start..<min(end, headerEnd)])
      start = end + 2
      let text = String(decoding: line, as: UTF8.self)
      guard text.lowercased().hasPrefix("content-disposition:") else {
        part.headers.append(line)
        continue
      }
      for parameter in text.split(separator: ";").dropFirst() {
        let trimmed = parameter.drop { $0 == " " || $0 == "\t" }
        if trimmed.lowercased().hasPrefix("name=") {
          part.name = trimmed.dropFirst(5).filter { $0 != "\"" }
        } else {
          part.dispositionRest += "; " + trimmed
        }
      }
    }
    return part
  }

  /// The content of the first part of that name.
  subscript(name: String) -> String? {
    parts.first { $0.name == name }.map { String(decoding: $0.content, as: UTF8.self) }
  }

  func count(of name: String) -> Int { parts.reduce(0) { $0 + ($1.name == name ? 1 : 0) } }

  mutating func remove(_ name: String) { parts.removeAll { $0.name == name } }

  /// Gives the part another name; it takes the place of parts that had it, at the end.
  mutating func rename(_ name: String, to newName: String) {
    guard var part = parts.first(where: { $0.name == name }) else { return }
    remove(name)
    remove(newName)
    part.name = newName
    parts.append(part)
  }

  /// Makes one part of that name, at the end.
  mutating func set(_ name: String, to value: String) {
    remove(name)
    parts.append(Part(name: name, headers: [], dispositionRest: "", content: Array(value.utf8)))
  }

  var encoded: [UInt8] {
    var result: [UInt8] = []
    let line: [UInt8] = [0x0D, 0x0A]
    for part in parts {
      result += "--".utf8
      result += boundary
      result += line
      result += "Content-Disposition: form-data; name=\"\(part.name)\"\(part.dispositionRest)".utf8
      result += line
      for header in part.headers {
        result += header
        result += line
      }
      result += line
      result += part.content
      result += line
    }
    result += "--".utf8
    result += boundary
    result += "--\r\n".utf8
    return result
  }
}
