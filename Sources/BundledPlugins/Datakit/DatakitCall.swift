import EntityModel
import Foundation
import NIOCore
import PluginKit

/// A request that a call node sends. Source: Kong fact, bundled-16 §7.
struct DatakitCall: Sendable {
  let url: String?
  let method: String
  let timeoutMilliseconds: Int64?
  let verifiesServer: Bool

  /// Positions of the inputs of a call node.
  enum InputPlace {
    static let body = 0
    static let headers = 1
    static let query = 2
    static let url = 3
    static let httpProxy = 4
    static let httpsProxy = 5
    static let proxyUsername = 6
    static let proxyPassword = 7
  }

  init(_ config: JSONValue) {
    url = config.text("url")
    method = config.text("method") ?? "GET"
    timeoutMilliseconds = config["timeout"]?.integer
    verifiesServer = config["ssl_verify"]?.bool ?? true
  }

  /// - Parameter requiresVerification: whether servers must be verified (`tls_certificate_verify`).
  func request(_ inputs: [DatakitValue], requiresVerification: Bool) throws(DatakitFailure) -> OutboundRequest {
    guard var url = inputs[InputPlace.url].text ?? url, !url.isEmpty else { throw DatakitFailure("there is no url") }
    let isTLS = url.lowercased().hasPrefix("https://")
    guard isTLS || url.lowercased().hasPrefix("http://"),
      url.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F })
    else { throw DatakitFailure("invalid url: '\(url)'") }
    if isTLS, !verifiesServer, requiresVerification {
      throw DatakitFailure("ssl_verify cannot be false while tls_certificate_verify is on")
    }
    if let query = DatakitBodies.query(inputs[InputPlace.query]), !query.isEmpty {
      let fragment = url.firstIndex(of: "#") ?? url.endIndex
      let mark = url[..<fragment].contains("?") ? "&" : "?"
      url = url[..<fragment] + mark + String(decoding: query, as: UTF8.self)
    }
    var headers = try DatakitHeaders.fields(inputs[InputPlace.headers]).filter { field in
      !DatakitHeaders.isFraming(field.name)
    }
    let body = DatakitBodies.encoded(
      inputs[InputPlace.body], contentType: headers.first { $0.name.lowercased() == "content-type" }?.value)
    if let type = body?.contentType, !headers.contains(where: { $0.name.lowercased() == "content-type" }) {
      headers.append(("Content-Type", type))
    }
    return OutboundRequest(
      method: method, url: url, headers: headers, body: body?.bytes,
      timeoutMilliseconds: max(1, timeoutMilliseconds ?? 60_000),
      connectTimeoutMilliseconds: max(1, min(timeoutMilliseconds ?? 10_000, 10_000)),
      tls: OutboundTLS(verifies: verifiesServer),
      proxy: try proxy(inputs, inputs[isTLS ? InputPlace.httpsProxy : InputPlace.httpProxy]))
  }

  private func proxy(_ inputs: [DatakitValue], _ value: DatakitValue) throws(DatakitFailure) -> OutboundProxy? {
    guard let text = value.text, !text.isEmpty else { return nil }
    let rest = text.lowercased().hasPrefix("http://") ? String(text.dropFirst(7)) : text
    guard !rest.contains("://"), let authority = rest.split(separator: "/").first else {
      throw DatakitFailure("invalid proxy: '\(text)' is no http URL")
    }
    let address = String(authority.split(separator: "@").last ?? authority)
    guard let (host, port) = DatakitProperty.target(address) ?? DatakitProperty.target(address + ":80") else {
      throw DatakitFailure("invalid proxy: '\(text)' has no host")
    }
    var authorization: String?
    if let name = inputs[InputPlace.proxyUsername].text {
      let password = inputs[InputPlace.proxyPassword].text ?? ""
      authorization = "Basic " + Data("\(name):\(password)".utf8).base64EncodedString()
    }
    return OutboundProxy(host: host, port: port, authorization: authorization)
  }

  /// The outputs: body, headers, status and raw_body.
  static func outputs(_ response: OutboundResponse) throws(DatakitFailure) -> [DatakitValue] {
    let type = response.header("content-type")
    return [
      try DatakitBodies.decoded(response.body, contentType: type, of: "response"),
      .json(DatakitHeaders.value(response.headers)), .json(.integer(Int64(response.status))),
      .bytes(response.body),
    ]
  }
}
