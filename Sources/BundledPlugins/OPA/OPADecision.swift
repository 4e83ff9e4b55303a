import EntityModel
import NIOCore
import PluginKit

/// What a policy server has decided. Source: Kong fact, bundled-16 §4.
enum OPADecision {
  /// With headers to set on the request.
  case allow(headers: [(name: String, value: String)])
  case deny(EarlyResponse)

  /// Why an answer is no decision.
  struct Problem: Error, CustomStringConvertible {
    let description: String
  }

  init(_ response: OutboundResponse) throws(Problem) {
    guard response.status == 200 else {
      throw Problem(description: "the policy server answered with status \(response.status), not 200")
    }
    let document: JSONValue
    do {
      document = try JSONValue(parsing: response.body.readableBytesView)
    } catch {
      throw Problem(description: "the answer of the policy server is no JSON: \(error)")
    }
    switch document["result"] {
    case .bool(let isAllowed): self = isAllowed ? .allow(headers: []) : .deny(Self.refusal(nil, status: 403))
    case .object(let members): self = try Self.decision(members)
    default:
      throw Problem(description: "the answer of the policy server has no 'result' that is a boolean or an object")
    }
  }

  private static func decision(_ members: [String: JSONValue]) throws(Problem) -> OPADecision {
    guard let isAllowed = members["allow"]?.bool else {
      throw Problem(description: "'result.allow' is not a boolean")
    }
    let headers = try headers(members["headers"])
    if isAllowed { return .allow(headers: headers) }
    var status = 403
    if let given = members["status"], given != .null {
      guard let number = given.integer, (200...599).contains(number) else {
        throw Problem(description: "'result.status' is not a status between 200 and 599")
      }
      status = Int(number)
    }
    var answer = refusal(members["message"], status: status)
    answer.headers += headers
    return .deny(answer)
  }

  private static func headers(_ value: JSONValue?) throws(Problem) -> [(name: String, value: String)] {
    guard let value, value != .null else { return [] }
    guard let members = value.object else { throw Problem(description: "'result.headers' is not an object") }
    var headers: [(name: String, value: String)] = []
    for name in members.keys.sorted() {
      let text: String
      switch members[name] {
      case .string(let value): text = value
      case .integer(let value): text = String(value)
      case .number(let value): text = JSONValue.text(of: value)
      case .bool(let value): text = String(value)
      default: throw Problem(description: "'result.headers.\(name)' is not a string")
      }
      guard ValueChecks.headerName(.string(name)) == nil,
        !text.utf8.contains(where: { $0 == 0 || $0 == 10 || $0 == 13 })
      else { throw Problem(description: "'result.headers.\(name)' cannot be sent as a header") }
      headers.append((name, text))
    }
    return headers
  }

  /// A text becomes the `message` of the answer, another value the answer itself.
  private static func refusal(_ message: JSONValue?, status: Int) -> EarlyResponse {
    let body: JSONValue
    switch message {
    case nil, .null: body = ["message": "unauthorized"]
    case .object?, .array?: body = message ?? .null
    case let text?: body = ["message": text]
    }
    if status == 204 || status == 304 { return EarlyResponse(status: status) }
    return EarlyResponse(
      status: status, body: ByteBuffer(bytes: body.serialized()),
      headers: [("Content-Type", "application/json; charset=utf-8")])
  }
}
