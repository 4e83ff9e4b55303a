import EntityModel
import GatewayTesting
import NIOCore
import NIOSSL
import PluginKit
import Testing

@testable import Proxy

@Suite("TLS on both sides") struct TLSTests {
  /// A proxy with a TLS listener: the certificate of `a.test` by its SNI, another one by default.
  private static func outer(_ upstream: Int) async throws -> ProxyFixture {
    let tls = try ServerTLS(
      configuration: .makeServerConfiguration(
        certificateChain: NIOSSLCertificate.fromPEMBytes(Array(TestCertificates.fallbackCertificate.utf8)).map {
          .certificate($0)
        },
        privateKey: .privateKey(NIOSSLPrivateKey(bytes: Array(TestCertificates.fallbackKey.utf8), format: .pem))))
    return try await ProxyFixture.start(
      [
        "services": [Entities.service("s", port: upstream)],
        "routes": [Entities.route("r", service: "s", path: "/").merging(["protocols": ["https"]]) { $1 }],
        "certificates": [
          ["id": "c", "cert": .string(TestCertificates.sniCertificate), "key": .string(TestCertificates.sniKey)]
        ],
        "snis": [["id": "n", "name": "a.test", "certificate": ["id": "c"]]],
      ]
    ) {
      $0.listeners = [.init(host: "127.0.0.1", port: 0, isTLS: true)]
      $0.defaultTLS = tls
    }
  }

  private static func inner(_ port: Int, verifying authority: String?) async throws -> ProxyFixture {
    try await ProxyFixture.start([
      "services": [
        Entities.service("s", port: port).merging([
          "protocol": "https", "tls_verify": authority == nil ? .null : true,
          "ca_certificates": authority == nil ? .null : ["ca"], "retries": 0,
        ]) { $1 }
      ],
      "routes": [Entities.route("r", service: "s", path: "/").merging(["preserve_host": true]) { $1 }],
      "ca_certificates": authority.map { [["id": "ca", "cert": .string($0)]] } ?? [],
    ])
  }

  @Test("the certificate follows the server name, which is the upstream's host; connections are kept")
  func serverName() async throws {
    let upstream = try await ScriptedUpstream.start { ok($0.header("x-forwarded-proto") ?? "") }
    let outer = try await Self.outer(upstream.port)
    let inner = try await Self.inner(outer.port, verifying: TestCertificates.sniCertificate)
    let connection = try inner.connect()
    for _ in 0..<3 {
      let response = try connection.exchange("GET", "/", headers: [("Host", "a.test")])
      #expect(response.status == 200)
      #expect(response.text == "https")
    }
    #expect(outer.server.statistics.map(\.accepted).reduce(0, +) == 1)
    // Another name gets the default certificate, which this authority did not sign.
    #expect(try inner.get("/", headers: [("Host", "default.test")]).status == 502)
    await inner.stop()
    await outer.stop()
  }

  @Test("without tls_verify any certificate will do, and large bodies pass")
  func unverified() async throws {
    let upstream = try await ScriptedUpstream.start { request in
      .sendPieces([Array("HTTP/1.1 200 OK\r\nContent-Length: \(request.body.count)\r\n\r\n".utf8), request.body])
    }
    let outer = try await Self.outer(upstream.port)
    let inner = try await Self.inner(outer.port, verifying: nil)
    let body = (0..<500_000).map { UInt8(truncatingIfNeeded: $0 >> 2) }
    let response = try inner.connect().exchange("POST", "/", headers: [("Host", "b.test")], body: body)
    #expect(response.status == 200)
    #expect(response.body == body)
    await inner.stop()
    await outer.stop()
  }

  @Test("an upstream that does not speak TLS is 502")
  func notTLS() async throws {
    // A plain proxy answers the handshake with 400 in plain text.
    let plain = try await ProxyFixture.start()
    let inner = try await Self.inner(plain.port, verifying: nil)
    #expect(try inner.get("/").status == 502)
    await inner.stop()
    await plain.stop()
  }
}
