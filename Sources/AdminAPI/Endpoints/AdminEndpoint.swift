import Storage

/// One path of the Admin API with what its methods do.
public struct AdminEndpoint: Sendable {
  typealias Handler = @Sendable (AdminRequest, AdminServices) async throws -> AdminResponse

  let pattern: PathPattern
  let handlers: [AdminMethod: Handler]
  /// One sentence for the reference.
  public let summary: String
  /// Whether the body may be a document in JSON or YAML (`/config`).
  let acceptsDocuments: Bool
  /// Why the endpoint is not there at present; it is answered 404 with this text and not listed.
  let absence: String?

  init(
    _ path: String, _ summary: String, acceptsDocuments: Bool = false, _ handlers: [AdminMethod: Handler]
  ) {
    pattern = PathPattern(path)
    self.handlers = handlers
    self.summary = summary
    self.acceptsDocuments = acceptsDocuments
    absence = nil
  }

  /// The endpoint with another handler for one method.
  func replacing(_ method: AdminMethod, by handler: @escaping Handler) -> AdminEndpoint {
    AdminEndpoint(
      path, summary, acceptsDocuments: acceptsDocuments, handlers.merging([method: handler]) { _, new in new })
  }

  /// An endpoint that a setting switches off.
  init(absent path: String, because absence: String) {
    pattern = PathPattern(path)
    handlers = [:]
    summary = absence
    acceptsDocuments = false
    self.absence = absence
  }

  /// With named parameters in braces, for example `/services/{services}`.
  public var path: String { pattern.text }

  /// In the order of `AdminMethod`.
  public var methods: [AdminMethod] { AdminMethod.allCases.filter { handlers[$0] != nil } }

  /// `Allow` of the endpoint: its methods with HEAD and OPTIONS, sorted.
  var allowedMethods: String {
    var names = methods.map(\.rawValue) + ["OPTIONS"]
    if handlers[.get] != nil { names.append("HEAD") }
    return names.sorted().joined(separator: ", ")
  }
}

/// What endpoints work with.
struct AdminServices: Sendable {
  var repository: any EntityRepository
  var node: any AdminNodeSource
  var configuration: AdminAPIConfiguration
  /// Every path, in the order of `/endpoints`.
  var endpointPaths: [String]
}
