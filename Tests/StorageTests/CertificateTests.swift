import EntityModel
import Testing

@testable import Storage

@Suite struct CertificateTests {
  let fixture: SQLiteFixture
  var store: EntityStore { fixture.store }

  init() throws { fixture = try SQLiteFixture() }

  private func certificate(_ snis: JSONValue? = nil) -> EntityFields {
    var fields: EntityFields = ["cert": .string(Self.certificate), "key": .string(Self.key)]
    if let snis { fields["snis"] = snis }
    return fields
  }

  @Test("the list of a certificate's SNIs creates, keeps and removes them")
  func list() async throws {
    let stored = try await store.insert(certificate(["b.com", "a.com"]), into: .certificates)
    #expect(stored["snis"] == ["a.com", "b.com"])
    let sni = try #require(try await store.select(.endpointKey("a.com"), from: .snis))
    #expect(sni["certificate"] == stored.reference)
    #expect(try await store.select(.endpointKey("b.com"), from: .certificates)?.id == stored.id)
    let changed = try await store.update(.id(stored.id), with: ["snis": ["a.com", "c.com"]], in: .certificates)
    #expect(changed["snis"] == ["a.com", "c.com"])
    #expect(try await store.select(.endpointKey("a.com"), from: .snis) == sni)
    #expect(try await store.select(.endpointKey("b.com"), from: .snis) == nil)
    let tagged = try await store.update(.endpointKey("a.com"), with: ["tags": ["t"]], in: .certificates)
    #expect(tagged["snis"] == ["a.com", "c.com"])
    #expect(try await store.snapshot()["certificates"].first?["snis"] == nil)
    #expect(try await store.page(PageRequest(), of: .certificates).entities.first?["snis"] == ["a.com", "c.com"])
  }

  @Test("an SNI belongs to one certificate, and nothing is written when the list is refused")
  func conflicts() async throws {
    let first = try await store.insert(certificate(["a.com"]), into: .certificates)
    let taken = await refusal { try await store.insert(certificate(["b.com", "a.com"]), into: .certificates) }
    #expect(taken?.code == .schemaViolation)
    #expect(
      taken?.fields == ["snis": .string("'a.com' already associated with existing certificate '\(first.id)'")])
    let twice = await refusal { try await store.insert(certificate(["c.com", "c.com"]), into: .certificates) }
    #expect(twice?.fields == ["snis": "'c.com' is duplicated"])
    #expect(try await store.page(PageRequest(), of: .certificates).entities.count == 1)
    #expect(try await store.page(PageRequest(), of: .snis).entities.count == 1)
  }

  @Test("a certificate put by the name of an SNI is found by it")
  func upsertByName() async throws {
    let made = try await store.upsert(.endpointKey("a.com"), with: certificate(), in: .certificates)
    #expect(made["snis"] == ["a.com"])
    let again = try await store.upsert(.endpointKey("a.com"), with: certificate(), in: .certificates)
    #expect(again.id == made.id)
  }

  @Test("a CA certificate that a service names cannot be deleted")
  func authorityInUse() async throws {
    let stored = try await store.insert(["cert": .string(Self.authority)], into: .caCertificates)
    let service = try await store.insert(
      ["host": "h", "protocol": "https", "ca_certificates": [.string(stored.id)]], into: .services)
    let refused = await refusal { try await store.delete(.id(stored.id), from: .caCertificates) }
    #expect(refused?.code == .referencedByOthers && refused?.httpStatus == 400)
    #expect(refused?.message == "ca certificate \(stored.id) is still referenced by services (id = \(service.id))")
    try await store.delete(.id(service.id), from: .services)
    try await store.delete(.id(stored.id), from: .caCertificates)
    #expect(try await store.select(.id(stored.id), from: .caCertificates) == nil)
  }

  @Test("a certificate that a service uses cannot be deleted")
  func inUse() async throws {
    let stored = try await store.insert(certificate(), into: .certificates)
    let service = try await store.insert(
      ["host": "h", "protocol": "https", "client_certificate": stored.reference], into: .services)
    let held = await refusal { try await store.delete(.id(stored.id), from: .certificates) }
    #expect(held?.fields == ["@referenced_by": "services"])
    try await store.delete(.id(service.id), from: .services)
    try await store.delete(.id(stored.id), from: .certificates)
  }

  @Test("a declared certificate has its SNIs as names or as entities")
  func declared() throws {
    let document: JSONValue = [
      "_format_version": "3.0",
      "certificates": [.object(certificate(["a.com"])), .object(certificate([["name": "b.com"]]))],
    ]
    let snapshot = try DeclarativeLoader(rules: testRules).load(document: document)
    #expect(Set(snapshot["snis"].compactMap { $0["name"]?.string }) == ["a.com", "b.com"])
    #expect(snapshot["certificates"].count == 2)
  }

  /// Made for these tests; its key guards nothing.
  private static let certificate = """
    -----BEGIN CERTIFICATE-----
    MIIBgjCCASmgAwIBAgIUBQ6nyQcjgrgHjelPohLiyuQ7fCUwCgYIKoZIzj0EAwIw
    FjEUMBIGA1UEAwwLZXhhbXBsZS5jb20wIBcNMjYxMTIyMjE1MjA1WhgPMjEyNjEw
    MjkyMTUyMDVaMBYxFDASBgNVBAMMC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYI
    KoZIzj0DAQcDQgAExgyKuBd+QUXci7jooPwsmKHSW5rKt2zXYClLdUhQQ19KK0WM
    RyZROVXhQwhS3h1AvkC+39uQtdeMoKM1CXfaJaNTMFEwHQYDVR0OBBYEFK2q5NUK
    DMnRa6+wLCxuUze5RDNTMB8GA1UdIwQYMBaAFK2q5NUKDMnRa6+wLCxuUze5RDNT
    MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgMW4hrK3l6n2sBMrK
    QDeMMu5OajLsqxkWgCNf+GMCan8CICWQ0ExbMpm6yLajJSQ7J3LF73AjGvtcmLm9
    M7cvUZRX
    -----END CERTIFICATE-----
    """

  private static let key = """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgHH+lp57aXXMGw7Qz
    Rsu1+tYknFBzTCkqSpKEWfQqxNShRANCAATGDIq4F35BRdyLuOig/CyYodJbmsq3
    bNdgKUt1SFBDX0orRYxHJlE5VeFDCFLeHUC+QL7f25C114ygozUJd9ol
    -----END PRIVATE KEY-----
    """

  static let authority = """
    -----BEGIN CERTIFICATE-----
    MIIBgzCCASqgAwIBAgIUKosFmsjvUtLQr+gF+ypygG54hYUwCgYIKoZIzj0EAwIw
    GDEWMBQGA1UEAwwNYS5leGFtcGxlLmNvbTAgFw0yNjExMjIyMTQyMDZaGA8yMTI2
    MTAyOTIxNDIwNlowGDEWMBQGA1UEAwwNYS5leGFtcGxlLmNvbTBZMBMGByqGSM49
    AgEGCCqGSM49AwEHA0IABGHjuh2/hSbacPQX8xSrghg89ovr6cTAoCHPMVJfe1P8
    dDECvJ+tDu/fAuYPSKzD0D2H1MmpHQ0dzUhyvIRs9LajUDBOMB0GA1UdDgQWBBTn
    3xT1N+CeggbMjTM5nX4mh1DCpzAfBgNVHSMEGDAWgBTn3xT1N+CeggbMjTM5nX4m
    h1DCpzAMBgNVHRMEBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIHdgSHkBauQL31t3
    XIJphjnE2LM9qdEMYPGQRWSu6SfSAiBNV5Rn/q8onttaVpzzJfkJ0biGE3yyLOnl
    clI+tB9qSw==
    -----END CERTIFICATE-----
    """
}
