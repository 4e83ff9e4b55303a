import CLuaBridge

/// One plugin version in one state: whose memory is counted together, and what it may use.
final class LuaTenant {
  private let raw: UnsafeMutablePointer<slu_host>
  let plugin: String
  let version: String
  let isTrusted: Bool
  /// Number of its account in the state.
  let account: UInt32

  init(plugin: String, version: String, on host: LuaHost) {
    raw = host.raw
    self.plugin = plugin
    self.version = version
    let allowance = host.settings.allowance(of: plugin)
    isTrusted = allowance.isTrusted
    var quota = slu_quota(allowance.quota)
    if isTrusted {
      quota.cpu_nanoseconds = 0
      quota.load_nanoseconds = 0
    }
    account = slu_host_open_account(raw, &quota)
  }

  deinit {
    // Runs at the latest while the host ends, before its state is closed.
    slu_host_close_account(raw, account)
  }

  /// Bytes that belong to it, garbage not yet collected included.
  var memoryUsed: Int { raw.pointee.accounts[Int(account)].used }

  var memoryLimit: Int { raw.pointee.accounts[Int(account)].quota.plugin_memory }
}

extension slu_quota {
  init(_ quota: LuaQuota) {
    func count<Number: FixedWidthInteger>(_ value: Int) -> Number { Number(clamping: max(0, value)) }
    self.init()
    cpu_nanoseconds = UInt64(clamping: max(0, quota.cpuMilliseconds)).multipliedReportingOverflow(by: 1_000_000).0
    load_nanoseconds = UInt64(clamping: max(0, quota.loadMilliseconds)).multipliedReportingOverflow(by: 1_000_000).0
    plugin_memory = count(quota.pluginMemory)
    request_memory = count(quota.requestMemory)
    coroutines = count(quota.coroutines)
    string_size = count(quota.stringSize)
    pattern_steps = count(quota.patternSteps)
  }
}
