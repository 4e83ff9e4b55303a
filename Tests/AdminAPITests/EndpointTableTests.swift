import Testing

@testable import AdminAPI

@Suite("Paths of the Admin API")
struct EndpointTableTests {
  private let table = EndpointTable(
    ["/", "/plugins", "/plugins/enabled", "/plugins/{plugins}", "/schemas/{name}", "/schemas/plugins/validate",
      "/schemas/plugins/{name}", "/schemas/{db_entity_name}/validate", "/services/{services}/routes",
    ].map { AdminEndpoint($0, "", [.get: { _, _ in .noContent }]) })

  private func found(_ path: String) throws -> String? { try table.match(path: path)?.endpoint.path }

  @Test("a literal segment wins over a parameter")
  func literalsFirst() throws {
    #expect(try found("/plugins/enabled") == "/plugins/enabled")
    #expect(try found("/plugins/other") == "/plugins/{plugins}")
    #expect(try found("/schemas/plugins/validate") == "/schemas/plugins/validate")
    #expect(try found("/schemas/plugins/acl") == "/schemas/plugins/{name}")
    #expect(try found("/schemas/services/validate") == "/schemas/{db_entity_name}/validate")
  }

  @Test("one trailing slash is accepted, other empty segments are not, and case matters")
  func slashes() throws {
    #expect(try found("/") == "/")
    #expect(try found("/plugins/") == "/plugins")
    for path in ["//plugins", "/plugins//", "/plugins//enabled", "/Plugins", "plugins", "", "*"] {
      #expect(try found(path) == nil, "\(path)")
    }
  }

  @Test("parameters are decoded after the path is split")
  func parameters() throws {
    #expect(try table.match(path: "/services/a%2Fb%20c/routes")?.parameters == ["a/b c"])
    #expect(try table.match(path: "/services/%zz+/routes")?.parameters == ["%zz+"])
    #expect(throws: AdminRefusal.notFound) { try table.match(path: "/services/%ff/routes") }
  }

  @Test("the default workspace may stand in front, by name or id; another is not found")
  func workspaces() throws {
    #expect(try found("/default/plugins") == "/plugins")
    #expect(try found("/0DC6F45B-8F8D-40D2-A504-473544EE190B/plugins/x") == "/plugins/{plugins}")
    #expect(try found("/default") == "/")
    #expect(throws: AdminRefusal.message(404, "Workspace 'other' not found")) {
      try table.match(path: "/other/plugins")
    }
    #expect(try found("/other/nothing") == nil)
    #expect(try found("/other") == nil)
    #expect(try found("/plugins/plugins/plugins") == nil)
  }

  @Test("paths are listed by their segments")
  func order() {
    #expect(
      table.endpoints.map(\.path) == [
        "/", "/plugins", "/plugins/enabled", "/plugins/{plugins}", "/schemas/plugins/validate",
        "/schemas/plugins/{name}", "/schemas/{db_entity_name}/validate", "/schemas/{name}",
        "/services/{services}/routes",
      ])
  }

  @Test("the allowed methods of an endpoint are sorted and include HEAD and OPTIONS")
  func allowedMethods() {
    let handler: AdminEndpoint.Handler = { _, _ in .noContent }
    #expect(AdminEndpoint("/a", "", [.post: handler, .get: handler]).allowedMethods == "GET, HEAD, OPTIONS, POST")
    #expect(AdminEndpoint("/a", "", [.put: handler]).allowedMethods == "OPTIONS, PUT")
  }
}
