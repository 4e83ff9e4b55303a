import EntityModel

/// Reads `multipart/form-data` (RFC 7578) that is in memory as a whole.
enum MultipartForm {
  /// One part: its name, the main type of its content, and its bytes.
  struct Part: Sendable, Equatable {
    var name: String
    var contentType: String?
    var content: [UInt8]
  }

  /// Longest head of one part in bytes.
  static let maximumHeadSize = 8192

  /// - Throws: `AdminRefusal` (400) that says what of the body is not well-formed.
  static func parts(of body: [UInt8], contentType: String) throws(AdminRefusal) -> [Part] {
    guard let boundary = parameter("boundary", of: contentType), !boundary.isEmpty, boundary.utf8.count <= 200 else {
      throw .message(400, "the content type multipart/form-data needs a boundary parameter")
    }
    let delimiter = Array("--\(boundary)".utf8)
    guard var position = find(delimiter, in: body, from: 0), position == 0 || body[position - 1] == 0x0A else {
      throw malformed("no line with the boundary '\(boundary)' was found")
    }
    var parts: [Part] = []
    while true {
      position += delimiter.count
      if body[position...].starts(with: [0x2D, 0x2D]) { return parts }
      guard body[position...].starts(with: [0x0D, 0x0A]) else { throw malformed("a boundary line does not end there") }
      position += 2
      guard parts.count < QueryArguments.maximumCount else { throw .tooManyArguments }
      guard let headEnd = find([0x0D, 0x0A, 0x0D, 0x0A], in: body, from: position - 2),
        headEnd - position <= maximumHeadSize
      else { throw malformed("part \(parts.count + 1) has no end of its header lines") }
      let head = body[position..<max(position, headEnd)]
      let start = headEnd + 4
      guard let end = find([0x0D, 0x0A] + delimiter, in: body, from: start) else {
        throw malformed("part \(parts.count + 1) is not closed by a boundary")
      }
      parts.append(try part(head: head, content: body[start..<end], number: parts.count + 1))
      position = end + 2
    }
  }

  private static func part(
    head: ArraySlice<UInt8>, content: ArraySlice<UInt8>, number: Int
  ) throws(AdminRefusal) -> Part {
    var name: String?
    var contentType: String?
    for line in head.split(separator: 0x0A) {
      guard let line = String(validating: line, as: UTF8.self), let colon = line.firstIndex(of: ":") else { continue }
      let value = String(line[line.index(after: colon)...])
      switch line[..<colon].lowercased() {
      case "content-disposition": name = parameter("name", of: value)
      case "content-type": contentType = MediaType(value).type
      default: break
      }
    }
    guard let name else { throw malformed("part \(number) has no name in its Content-Disposition") }
    return Part(name: name, contentType: contentType, content: Array(content))
  }

  private static func malformed(_ reason: String) -> AdminRefusal {
    .message(400, "Cannot parse multipart body: \(reason)")
  }

  /// The parameter of a header value, without its quotes.
  private static func parameter(_ name: String, of value: String) -> String? { MediaType(value).parameters[name] }

  private static func find(_ needle: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
    guard needle.count <= bytes.count, start <= bytes.count - needle.count else { return nil }
    var index = start
    let last = bytes.count - needle.count
    while index <= last {
      guard let candidate = bytes[index...last].firstIndex(of: needle[0]) else { return nil }
      if bytes[candidate...].starts(with: needle) { return candidate }
      index = candidate + 1
    }
    return nil
  }
}
