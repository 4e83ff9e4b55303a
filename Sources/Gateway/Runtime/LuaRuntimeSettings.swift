import LuaRuntime
import NIOSSL

extension LuaRuntime.LuaSettings {
  /// What the settings of the node say of Lua.
  init(settings: GatewaySettings, meter: LuaMeter, trustRoots: NIOSSLTrustRoots, logSink: any LuaLogSink) {
    let quota = LuaQuota(settings: settings)
    self.init(
      sandbox: SandboxMode(settings.untrustedLua), memoryLimit: settings.luaQuotaStateMemory, quota: quota,
      allowances: Dictionary(
        settings.luaQuotaOverrides.map { override in
          (override.plugin, LuaAllowance(quota: override.applied(to: quota), isTrusted: override.isTrusted))
        },
        uniquingKeysWith: { first, _ in first }),
      meter: meter, bodyBufferSize: settings.clientBodyBufferSize, logSink: logSink)
    sandboxModules = settings.untrustedLuaSandboxRequires
    sandboxGlobals = settings.untrustedLuaSandboxEnvironment
    socketTLS = LuaSocketTLS(
      trustRoots: trustRoots, minimumVersion: settings.luaSSLProtocols.oldest,
      maximumVersion: settings.luaSSLProtocols.newest)
    listLimits.requestHeaders = settings.luaMaxRequestHeaders
    listLimits.responseHeaders = settings.luaMaxResponseHeaders
    listLimits.queryArguments = settings.luaMaxURIArguments
    listLimits.formArguments = settings.luaMaxPostArguments
    let instrumentations = settings.tracingInstrumentations
    if !instrumentations.isEmpty { tracingSamplingRate = settings.tracingSamplingRate }
    tracesRequests = instrumentations.contains(.request) || instrumentations.contains(.all)
    tracesBalancer = instrumentations.contains(.balancer) || instrumentations.contains(.all)
  }
}

extension LuaQuota {
  init(settings: GatewaySettings) {
    self.init()
    cpuMilliseconds = settings.luaQuotaCPUTime.wholeMilliseconds
    loadMilliseconds = settings.luaQuotaLoadTime.wholeMilliseconds
    pluginMemory = settings.luaQuotaPluginMemory
    requestMemory = settings.luaQuotaRequestMemory
    coroutines = settings.luaQuotaCoroutines
    stringSize = settings.luaQuotaStringSize
    patternSteps = settings.luaQuotaPatternSteps
  }
}

extension LuaPluginInspector {
  /// An inspector for what the node allows plugins to use.
  convenience init(settings: GatewaySettings) {
    let mode = SandboxMode(settings.untrustedLua)
    self.init(
      limits: Limits(settings: settings),
      modules: SandboxModules.all(in: mode, listed: settings.untrustedLuaSandboxRequires), mode: mode)
  }
}

extension LuaPluginInspector.Limits {
  /// The same limits as when an event loop loads the plugin.
  init(settings: GatewaySettings) {
    let quota = LuaQuota(settings: settings)
    self.init(
      time: quota.loadMilliseconds == 0 ? .seconds(3600) : .milliseconds(quota.loadMilliseconds), quota: quota)
  }
}

extension LuaQuotaOverride {
  fileprivate func applied(to common: LuaQuota) -> LuaQuota {
    var quota = common
    if let cpuTime { quota.cpuMilliseconds = cpuTime.wholeMilliseconds }
    if let loadTime { quota.loadMilliseconds = loadTime.wholeMilliseconds }
    if let pluginMemory { quota.pluginMemory = pluginMemory }
    if let requestMemory { quota.requestMemory = requestMemory }
    if let coroutines { quota.coroutines = coroutines }
    if let stringSize { quota.stringSize = stringSize }
    if let patternSteps { quota.patternSteps = patternSteps }
    return quota
  }
}

extension Duration {
  /// Milliseconds, at least one for any time above zero.
  fileprivate var wholeMilliseconds: Int {
    let (seconds, attoseconds) = components
    if seconds == 0, attoseconds == 0 { return 0 }
    return max(1, Int(clamping: seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000))
  }
}

extension SandboxMode {
  fileprivate init(_ setting: UntrustedLua) {
    self =
      switch setting {
      case .off: .off
      case .strict: .strict
      case .lax: .lax
      case .sandbox: .sandbox
      case .on: .on
      }
  }
}
