import EntityModel
import NIOSSL
import PluginKit

/// A route of a snapshot with everything a request needs of it.
final class RouteRuntime: Sendable {
  let info: RouteInfo
  /// Nil for a route without service.
  let service: ServiceRuntime?
  /// The request must have come over https: the route has no `http` among its protocols.
  let requiresTLS: Bool
  /// 426, or the status of the redirect to https.
  let httpsRedirectStatus: Int
  let stripPath: Bool
  let preserveHost: Bool
  let requestBuffering: Bool
  let responseBuffering: Bool
  /// The route is for gRPC.
  let isGRPC: Bool
  let chain: PluginChain

  init(entity: JSONValue, service: ServiceRuntime?, chain: PluginChain) {
    info = RouteInfo(entity: entity)
    self.service = service
    let protocols = info.protocols
    requiresTLS = !protocols.isEmpty && !protocols.contains("http") && !protocols.contains("grpc")
    httpsRedirectStatus = Int(entity["https_redirect_status_code"]?.integer ?? 426)
    stripPath = entity["strip_path"]?.bool ?? true
    preserveHost = entity["preserve_host"]?.bool ?? false
    requestBuffering = entity["request_buffering"]?.bool ?? true
    responseBuffering = entity["response_buffering"]?.bool ?? true
    isGRPC = protocols.contains("grpc") || protocols.contains("grpcs")
    self.chain = chain
  }
}

/// The service of a route with everything a request needs of it.
final class ServiceRuntime: Sendable {
  let info: ServiceInfo
  let scheme: String
  let host: String
  let port: Int
  /// Path of the service, "" if none.
  let path: [UInt8]
  let isTLS: Bool
  let connectTimeoutMilliseconds: Int64
  let sendTimeoutMilliseconds: Int64
  let readTimeoutMilliseconds: Int64
  let retries: Int
  /// Set when `host` is the name of an Upstream entity.
  let balancer: Balancer?
  /// TLS client context; nil for plain services.
  let tls: UpstreamTLS?
  /// The part of `UpstreamTarget` that does not depend on the request.
  let target: UpstreamTarget

  init(entity: JSONValue, balancer: Balancer?, tls: UpstreamTLS?) {
    info = ServiceInfo(entity: entity)
    let scheme = entity["protocol"]?.string ?? "http"
    self.scheme = scheme
    isTLS = ["https", "grpcs", "tls", "wss"].contains(scheme)
    host = entity["host"]?.string ?? ""
    port = Int(entity["port"]?.integer ?? 80)
    path = Array((entity["path"]?.string ?? "").utf8)
    connectTimeoutMilliseconds = entity["connect_timeout"]?.integer ?? 60_000
    sendTimeoutMilliseconds = entity["write_timeout"]?.integer ?? 60_000
    readTimeoutMilliseconds = entity["read_timeout"]?.integer ?? 60_000
    retries = Int(entity["retries"]?.integer ?? 5)
    self.balancer = balancer
    self.tls = tls
    var target = UpstreamTarget()
    target.scheme = isTLS ? "https" : "http"
    target.host = host
    target.port = port
    target.connectTimeoutMilliseconds = connectTimeoutMilliseconds
    target.sendTimeoutMilliseconds = sendTimeoutMilliseconds
    target.readTimeoutMilliseconds = readTimeoutMilliseconds
    target.retries = retries
    self.target = target
  }
}

/// How to speak TLS with a service.
final class UpstreamTLS: Sendable {
  let context: NIOSSLContext
  /// Distinguishes pooled connections that must not be mixed: verification, CAs, client certificate.
  let identity: String
  /// What the context was made from, for plugins that change a part of it.
  let configuration: TLSConfiguration

  init(configuration: TLSConfiguration, identity: String) throws {
    context = try NIOSSLContext(configuration: configuration)
    self.configuration = configuration
    self.identity = identity
  }
}
