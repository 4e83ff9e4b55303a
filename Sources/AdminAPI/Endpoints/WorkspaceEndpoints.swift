import EntityModel

/// The one workspace there is, so that clients that look for it find it.
enum WorkspaceEndpoints {
  static let all: [AdminEndpoint] = [
    AdminEndpoint(
      "/workspaces", "Lists the workspaces: `default` alone.",
      [.get: { _, _ in .ok(["data": [.object(DefaultWorkspace.document)], "next": nil]) }]),
    AdminEndpoint(
      "/workspaces/{workspaces}", "Reads the default workspace.",
      [
        .get: { request, _ in
          guard DefaultWorkspace.isAddressed(by: request.parameters[0]) else { throw AdminRefusal.notFound }
          return .ok(DefaultWorkspace.document)
        }
      ]),
  ]
}
