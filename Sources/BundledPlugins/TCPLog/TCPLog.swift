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
      return TCPLogExecutor(
        // Instances that agree in where and how they send share a queue.
        key: "\(instance.pluginName) \(server)", pluginName: instance.pluginName,
        delivery: LogDelivery(label: "\(host):\(port)") { entries, loop in
          var bytes = entries.first ?? ByteBuffer()
          for entry in entries.dropFirst() { bytes.writeImmutableBuffer(entry) }
          return tcp.send(bytes, to: server, on: loop)
        },
        customFields: try CustomLogFields(instance, context.services), context: context)
    }
  }
}

/// Logs one request: makes the line and hands it to the queue.
struct TCPLogExecutor: PluginExecutor {
  let phases = PhaseSet(.log)
  let key: String
  let pluginName: String
  let delivery: LogDelivery
  let customFields: CustomLogFields
  let context: PluginCompileContext

  func prepare(on loop: LoopServices) throws(PluginCompileError) { try customFields.prepare(on: loop) }

  func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome {
    let logger = self.context.logger
    customFields.apply(to: context, plugin: pluginName, logger: logger)
    var line = ByteBuffer(bytes: context.serialized().serialized())
    line.writeInteger(UInt8(ascii: "\n"))
    LogQueues.of(context, self.context.services).enqueue(
      line, key: key, plugin: pluginName, LogQueueParameters(), delivery, logger)
    return .finished
  }
}
