import CLuaBridge
import PluginKit

/// What is told of a run that failed.
extension LuaHost {
  static func errorMessage(_ raw: UnsafeMutablePointer<slu_host>) -> String {
    guard let bytes = raw.pointee.error_message else { return "not enough memory" }
    return String(decoding: UnsafeRawBufferPointer(start: bytes, count: raw.pointee.error_length), as: UTF8.self)
  }

  /// The limit that made the last run fail.
  var failure: LuaLimit? {
    switch Int(raw.pointee.failure) {
    case SLU_ABORT_CPU: .cpuTime
    case SLU_ABORT_COROUTINES: .coroutines
    case SLU_ABORT_REQUEST_MEMORY: .requestMemory
    case SLU_ABORT_PLUGIN_MEMORY: .pluginMemory
    case SLU_ABORT_STATE_MEMORY: .stateMemory
    default: nil
    }
  }

  /// The id of the request that runs; nil in a TLS handshake, of which there is none.
  var loggedRequestID: String? { context?.handshake == nil ? context?.requestID : nil }

  func countFailure(_ tenant: LuaTenant?, phase: String) {
    guard let tenant, let failure else { return }
    settings.meter.count(
      LuaMeter.Key(plugin: tenant.plugin, version: tenant.version, phase: phase, limit: failure))
  }

  func logFailure(plugin: String, phase: Phase) {
    let message = Self.errorMessage(raw)
    let phaseName = isTimer ? "timer" : phase.name
    var line = "[kong] [\(plugin)] failed in \(phaseName): \(message)\(LuaAbsence.hint(for: message))"
    if let tenant, failure != nil { line += " (version \(tenant.version))" }
    countFailure(tenant, phase: phaseName)
    if raw.pointee.traceback_length > 0, let text = raw.pointee.error_traceback {
      line += "\n"
      line += String(
        decoding: UnsafeRawBufferPointer(start: text, count: raw.pointee.traceback_length), as: UTF8.self)
    }
    settings.logSink.write(.err, line: line, requestID: loggedRequestID)
  }
}
