import NIOCore
import PluginKit

/// How plugin API functions get at the request's body.
enum RequestBodyReading {
  /// Gives the body to `then`, now or after a wait; a body that cannot be read makes the function return nil and why.
  static func withBody(_ call: LuaCall, _ then: @escaping (LuaCall, ByteBuffer) -> Void) throws(LuaFault) -> LuaOutcome
  {
    let context = try call.context
    if let bytes = context.requestBody.bytes {
      then(call, bytes)
      return .returned
    }
    guard context.phase == .rewrite || context.phase == .access else {
      // Streamed to the upstream already: nothing is left of it.
      then(call, ByteBuffer())
      return .returned
    }
    return .wait(
      LuaWait { context, _, completion in
        guard let context else { return completion { $0.returnsFailure("no request found") } }
        context.driver.readRequestBody(context) { [unowned context] result in
          completion { call in
            switch result {
            case .success: then(call, context.requestBody.bytes ?? ByteBuffer())
            case .failure(.clientClosed): call.returnsFailure("the client closed the connection")
            case .failure(.malformed): call.returnsFailure("malformed request body")
            case .failure(.tooLarge): call.returnsFailure("request body is too large")
            }
          }
        }
      })
  }

  static let didNotFit =
    "request body did not fit into client body buffer, consider raising 'client_body_buffer_size'"

  /// Nil if the body may be given to a plugin, else why not. `limit` nil: the buffer's size; 0: no limit.
  static func refusal(_ body: ByteBuffer, limit: Int?, bufferSize: Int) -> String? {
    guard body.readableBytes > bufferSize else { return nil }
    guard let limit else { return didNotFit }
    if limit > 0, body.readableBytes > limit { return "request body file too big: \(body.readableBytes) > \(limit)" }
    return nil
  }

  /// Returns a decoded body: form and multipart as tables, JSON as a text that the prelude decodes.
  static func returnDecoded(_ call: LuaCall, _ body: ByteBuffer, contentType: String, limit: Int) {
    let lowered = contentType.lowercased()
    if lowered.contains("application/x-www-form-urlencoded") {
      if !URLText.returnArguments(call, body.readableBytesView, limit: limit) { call.returnNil() }
      call.returns("application/x-www-form-urlencoded")
    } else if lowered.contains("application/json") {
      call.returns("json")
      call.returns(body)
      call.returns("application/json")
    } else if lowered.contains("multipart/form-data") {
      let parts = MultipartForm.parts(of: body, contentType: contentType)
      call.beginTable(parts.count)
      for part in parts {
        call.returns(part.name)
        call.returns(part.value)
      }
      call.returnNil()
      call.returns("multipart/form-data")
    } else {
      call.returnNil()
      call.returns("unsupported content type '\(contentType)'")
      call.returns(contentType)
    }
  }
}

/// A multipart/form-data body (RFC 7578).
enum MultipartForm {
  static func boundary(of contentType: String) -> [UInt8]? {
    guard let range = contentType.lowercased().firstRange(of: "boundary=") else { return nil }
    let offset = contentType.lowercased().distance(from: contentType.lowercased().startIndex, to: range.upperBound)
    var text = contentType.dropFirst(offset)
    if text.first == "\"" {
      text = text.dropFirst()
      text = text.prefix { $0 != "\"" }
    } else {
      text = text.prefix { $0 != ";" && $0 != " " }
    }
    return text.isEmpty ? nil : Array(text.utf8)
  }

  /// Names and values of the parts; the first of several with one name.
  static func parts(of body: ByteBuffer, contentType: String) -> [(name: [UInt8], value: [UInt8])] {
    guard let boundary = boundary(of: contentType) else { return [] }
    let bytes = Array(body.readableBytesView)
    let delimiter = Array("--".utf8) + boundary
    var parts: [(name: [UInt8], value: [UInt8])] = []
    guard var start = find(delimiter, in: bytes, from: 0) else { return [] }
    while true {
      let head = start + delimiter.count
      if bytes[head...].starts(with: "--".utf8) { return parts }
      guard let end = find(Array("\r\n".utf8) + delimiter, in: bytes, from: head),
        let blank = find(Array("\r\n\r\n".utf8), in: bytes, from: head), blank < end
      else { return parts }
      if let name = name(inHead: String(decoding: bytes[head..<blank], as: UTF8.self)),
        !parts.contains(where: { $0.name == name })
      {
        parts.append((name, Array(bytes[min(blank + 4, end)..<end])))
      }
      start = end + 2
    }
  }

  private static func name(inHead head: String) -> [UInt8]? {
    for line in head.split(whereSeparator: \.isNewline) where line.lowercased().hasPrefix("content-disposition:") {
      guard let range = line.firstRange(of: " name=\"") ?? line.firstRange(of: ";name=\"") else { continue }
      return Array(line[range.upperBound...].prefix { $0 != "\"" }.utf8)
    }
    return nil
  }

  private static func find(_ needle: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
    guard bytes.count >= needle.count else { return nil }
    var place = start
    while place <= bytes.count - needle.count {
      if bytes[place] == needle[0], bytes[place..<place + needle.count].elementsEqual(needle) { return place }
      place += 1
    }
    return nil
  }
}
