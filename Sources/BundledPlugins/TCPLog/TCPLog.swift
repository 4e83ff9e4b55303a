import EntityModel
import NIOCore
import PluginKit

/// `tcp-log`: sends a line of JSON for each request to a TCP server. Source: Kong fact, bundled-16 §14 and §16.
///
/// Kong compatibility: lines wait in a queue with Kong's usual bounds and are sent again when sending has failed; there
/// each line has one attempt.
enum TCPLog {
  static let definition = PluginDefinition.bundled(schema, phases: [.log], Implementation())

  static let schema = PluginSchema(
    "tcp-log", protocols: PluginFields.protocolsAny(), without: [PluginScope.consumerGroup],
    config: PluginFields.config([
      "host": CommonFields.host.asRequired().described("Host that lines are sent to."),
      "port": CommonFields.port.asRequired().described("Port that lines are sent to."),
      "timeout": PluginFields.milliseconds(10_000, "Time for one attempt in milliseconds."),
      "keepalive": PluginFields.milliseconds(60_000, "How long an idle connection is kept, in milliseconds."),
      "tls": PluginFields.flag(false, "Whether the connection is encrypted."),
      "tls_sni": .string.described("Server name that the handshake asks for; the host if unset."),
      "ssl_verify": PluginFields.sslVerify("Whether the certificate of the server is verified, with tls."),
      "custom_fields_by_lua": PluginFields.customFieldsByLua,
    ]))

  struct Implementation: SnapshotAwarePluginImplementation {
    func makeExecutor(
      for instance: PluginInstance, in context: PluginCompileContext
    ) throws(PluginCompileError) -> any PluginExecutor {
      let config = instance.config
      guard let host = config.text("host"), let port = config["port"]?.integer, (1...65535).contains(port) else {
        throw PluginCompileError(
          plugin: instance.pluginName, reason: "config.host and config.port name no address to connect to")
      }
      let server = OutboundTCPServer(
        host: host, port: Int(port),
        // Zero means no limit of its own.
        timeoutMilliseconds: config.milliseconds("timeout", orElse: 60_000),
        keepaliveMilliseconds: config.milliseconds("keepalive", orElse: 2_147_483_646),
        tls: config.flag("tls") ? OutboundTLS(verifies: config["ssl_verify"]?.bool ?? true) : nil,
        serverName: config.text("tls_sni"))
      let tcp = context.services.tcp
      return QueuedLogExecutor(
        // Instances that agree in where and how they send share a queue.
        key: "\(instance.pluginName) \(server)", pluginName: instance.pluginName, parameters: LogQueueParameters(),
        delivery: LogDelivery(label: "\(host):\(port)") { entries, loop in
          var lines = ByteBuffer()
          lines.reserveCapacity(entries.reduce(0) { $0 + $1.readableBytes + 1 })
          for entry in entries {
            lines.writeImmutableBuffer(entry)
            lines.writeInteger(UInt8(ascii: "\n"))
          }
          return tcp.send(lines, to: server, on: loop)
        },
        customFields: try CustomLogFields(instance, context.services), context: context)
    }
  }
}
