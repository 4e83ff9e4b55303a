import PluginKit
import Routing

extension RuntimeSnapshot {
  /// Finds the route of a request and puts what follows from it into the context: route, service, captures, stripped
  /// prefix and upstream target.
  ///
  /// `context.normalizedPath` must be set.
  func matchRoute(_ context: RequestContext) -> RouteRuntime? {
    guard let match = match(context), let route = routes[match.routeIndex] else { return nil }
    context.route = route.info
    if match.isRegex {
      context.uriCaptures = context.normalizedPath.withUnsafeBytes { path in
        match.captures(in: path).map { URICaptures(unnamed: $0.unnamed, named: $0.named) }
      }
    }
    if route.stripPath, let length = match.matchedLength { context.strippedPrefixLength = length }
    guard let service = route.service else { return route }
    context.service = service.info
    context.upstream.take(settingsOf: service.target)
    context.normalizedPath.withUnsafeBytes { path in
      service.path.withUnsafeBytes { servicePath in
        UpstreamPath.build(
          servicePath: servicePath, requestPath: path, matchedLength: match.matchedLength,
          stripPath: route.stripPath, into: &context.upstream.path)
      }
    }
    return route
  }

  private func match(_ context: RequestContext) -> RouteMatch? {
    let headers = context.requestHeaders
    let serverName = context.tlsServerName
    let noBytes = UnsafeRawBufferPointer(start: nil, count: 0)
    func query(_ host: UnsafeRawBufferPointer, _ method: UnsafeRawBufferPointer) -> RouteMatch? {
      context.normalizedPath.withUnsafeBytes { path in
        guard let serverName else {
          return routeTable.match(
            RouteQuery(method: method, host: host, port: context.localPort, path: path, isTLS: context.isTLS),
            headers: headers)
        }
        var name = serverName
        return name.withUTF8 { sni in
          routeTable.match(
            RouteQuery(
              method: method, host: host, port: context.localPort, path: path, sni: UnsafeRawBufferPointer(sni),
              isTLS: context.isTLS),
            headers: headers)
        }
      }
    }
    var method = context.method.name
    return method.withUTF8 { method in
      guard let index = headers.firstIndex(of: .host) else { return query(noBytes, UnsafeRawBufferPointer(method)) }
      return headers.withValue(at: index) { query($0, UnsafeRawBufferPointer(method)) }
    }
  }
}

extension HeaderBlock: RouteHeaderSource {
  public func hasValue(ofHeader name: UnsafeRawBufferPointer, acceptedBy rule: RouteHeaderRule) -> Bool {
    var start = 0
    while let index = firstIndex(ofName: name, from: start) {
      if withValue(at: index, { rule.accepts($0) }) { return true }
      start = index + 1
    }
    return false
  }
}
