import NIOCore
import NIOSSL
import Proxy

/// Turns the settings into the proxy's own plain values.
struct ProxySettingsReader {
  let settings: GatewaySettings

  func configuration() throws -> ProxyConfiguration {
    var configuration = ProxyConfiguration(
      listeners: settings.proxyListen.map { address in
        ProxyConfiguration.Listener(
          host: address.host, port: address.port, isTLS: address.ssl, backlog: Int32(address.backlog ?? 16384))
      })
    configuration.responseHeaders = ResponseHeaderTokens(names: settings.headers.tokens.map(\.rawValue))
    configuration.sendsRequestIDUpstream = settings.headersUpstream.contains(.requestID)
    configuration.viaCompliesWithRFC = settings.viaHeaderCompliesWithRFC
    configuration.allowsDebugHeader = settings.allowDebugHeader
    configuration.maximumBodySize = settings.clientMaxBodySize
    configuration.clientKeepaliveRequests = settings.keepaliveRequests
    configuration.upstreamKeepalivePoolSize = settings.upstreamKeepalivePoolSize
    configuration.upstreamKeepaliveRequests = settings.upstreamKeepaliveMaxRequests
    configuration.upstreamKeepaliveIdleTimeout = TimeAmount(settings.upstreamKeepaliveIdleTimeout)
    configuration.headLineLimit = settings.largeClientHeaderBuffers.size
    configuration.headLimit = settings.largeClientHeaderBuffers.count * settings.largeClientHeaderBuffers.size + 1024
    configuration.realIPHeader = settings.realIPHeader.lowercased()
    configuration.realIPRecursive = settings.realIPRecursive
    configuration.portMaps = settings.portMaps
    if settings.proxyListen.contains(where: \.ssl) {
      configuration.defaultTLS = try ServerTLS(
        configuration: try TLSMaterial(settings: settings).serverConfiguration(
          certificates: settings.sslCert, keys: settings.sslCertKey))
    }
    if let path = settings.proxyAccessLog.path {
      configuration.accessLog = path == "/dev/stdout" ? .standardOutput : .file(settings.resolve(path))
    }
    return configuration
  }
}
