import Foundation

extension GatewaySettings {
  private static let environmentPrefixes = ["SLUICE_", "KONG_"]

  /// Reads the settings: `SLUICE_*` environment variables come before `KONG_*` ones, these before the file, and the
  /// file before the defaults. An empty value counts as not given.
  ///
  /// - Returns: the settings, and a sentence for each name that is unknown or not served.
  /// - Throws: every bad value at once, each with its origin and what is accepted.
  public static func load(
    file: String?, environment: [String: String]
  ) throws(SettingsError) -> (settings: GatewaySettings, warnings: [String]) {
    guard let file else { return try load(fileText: nil, path: "", environment: environment) }
    let text: String
    do {
      text = try String(contentsOfFile: file, encoding: .utf8)
    } catch {
      let problem = SettingProblem(
        setting: nil, origin: .file(path: file, line: 1), value: nil,
        reason: "the settings file cannot be read: \(error.localizedDescription)")
      throw SettingsError(problems: [problem])
    }
    return try load(fileText: text, path: file, environment: environment)
  }

  static func load(
    fileText: String?, path: String, environment: [String: String]
  ) throws(SettingsError) -> (settings: GatewaySettings, warnings: [String]) {
    var problems: [SettingProblem] = []
    var warnings: [String] = []
    var given: [String: (text: String, origin: SettingOrigin)] = [:]

    let file = SettingsFile(fileText ?? "")
    for failure in file.failures {
      problems.append(
        SettingProblem(
          setting: nil, origin: .file(path: path, line: failure.line), value: nil, reason: failure.reason))
    }
    for entry in file.entries {
      given[entry.name] = (entry.value, .file(path: path, line: entry.line))
    }
    var names = Set(given.filter { !$0.value.text.isEmpty }.keys)
    var origins = given.mapValues(\.origin)
    for prefix in environmentPrefixes.reversed() {
      for (variable, text) in environment where variable.hasPrefix(prefix) {
        let name = variable.dropFirst(prefix.count).lowercased()
        let value = SettingText.trimmed(text)
        if name.isEmpty || value.isEmpty || isServiceLink(name) { continue }
        given[name] = (value, .environment(variable: variable))
        origins[name] = .environment(variable: variable)
        names.insert(name)
      }
    }
    for name in names.sorted() where SettingCatalogue.byName[name] == nil {
      warnings.append(warning(unknown: name, from: origins[name] ?? .defaultValue))
    }

    var values: [String: any StoredSetting] = [:]
    for setting in SettingCatalogue.settings {
      let declaration = setting.declaration
      guard let (text, origin) = given[declaration.name], !text.isEmpty else { continue }
      do throws(SettingValueError) {
        if text.hasPrefix("{vault://") {
          throw SettingValueError("is a vault reference, which settings cannot hold yet")
        }
        values[declaration.name] = try setting.stored(text, from: origin)
      } catch {
        problems.append(
          SettingProblem(
            setting: declaration.name, origin: origin, value: declaration.isSecret ? redaction : text,
            reason: "\(error.reason); accepted: \(declaration.accepted)"))
      }
    }
    var settings = defaults.overlaid(with: values)
    settings.reconcile(problems: &problems)
    if !problems.isEmpty { throw SettingsError(problems: problems) }
    return (settings, warnings)
  }

  /// Variables that container platforms set for a service named `kong` or `sluice`, for example
  /// `KONG_PROXY_SERVICE_HOST` or `KONG_PROXY_PORT_80_TCP_ADDR`.
  private static func isServiceLink(_ name: String) -> Bool {
    if SettingCatalogue.byName[name] != nil || PeerSettingNames.contains(name) { return false }
    return name.hasSuffix("service_host") || name.contains("service_port") || name.hasSuffix("_port") || name == "port"
      || (name.contains("port_") && (name.contains("_tcp") || name.contains("_udp")))
  }

  private static func warning(unknown name: String, from origin: SettingOrigin) -> String {
    if PeerSettingNames.contains(name) {
      return "the setting \"\(name)\" (\(origin)) has no effect: Kong knows it, Sluice does not serve it yet"
    }
    let candidates = SettingCatalogue.declarations.map(\.name) + PeerSettingNames.all.sorted()
    let ranked = candidates.map { (name: $0, distance: SettingText.editDistance(name, $0)) }
    let nearest = ranked.min { $0.distance < $1.distance }
    let hint = nearest.map { "; did you mean \"\($0.name)\"?" } ?? ""
    return "unknown setting \"\(name)\" (\(origin)) is ignored\(hint)"
  }

  private func overlaid(with values: [String: any StoredSetting]) -> GatewaySettings {
    var copy = self
    copy.overlay(values)
    return copy
  }

  /// Holds settings against one another.
  private mutating func reconcile(problems: inout [SettingProblem]) {
    func report(_ setting: String, _ reason: String) {
      problems.append(
        SettingProblem(setting: setting, origin: origin(of: setting) ?? .defaultValue, value: nil, reason: reason))
    }
    let isBad = Set(problems.compactMap(\.setting))
    if self.role == .dataPlane, origin(of: "database") == .defaultValue {
      derive(DatastoreSettings().database, .off)
    } else if self.role == .dataPlane, self.database != .off {
      report("database", "must be off for a data plane, which keeps no entities of its own")
    } else if self.role == .controlPlane, self.database == .off {
      report("database", "must not be off for a control plane, which keeps the entities")
    }
    if self.role != .traditional {
      for (name, source) in [("cluster_cert", self.clusterCert), ("cluster_cert_key", self.clusterCertKey)]
      where source == nil && !isBad.contains(name) {
        report(name, "must be set for role \(self.role.rawValue); `sluice hybrid gen_cert` makes a pair")
      }
    }
    if self.role == .dataPlane, self.clusterControlPlane == nil, !isBad.contains("cluster_control_plane") {
      report("cluster_control_plane", "must name the control plane as host:port for role data_plane")
    }
    if self.role == .dataPlane, self.proxyListen.isEmpty {
      report("proxy_listen", "must not be off for role data_plane")
    }
    if self.role == .controlPlane, self.clusterListen.isEmpty {
      report("cluster_listen", "must not be off for role control_plane")
    }
    for (name, certificates, keys) in [
      ("ssl_cert", self.sslCert, self.sslCertKey), ("admin_ssl_cert", self.adminSSLCert, self.adminSSLCertKey),
      ("status_ssl_cert", self.statusSSLCert, self.statusSSLCertKey),
    ] where certificates.count != keys.count {
      report(name, "has \(certificates.count) certificates, but \(name)_key has \(keys.count) keys")
    }
    if self.declarativeConfig != nil, self.declarativeConfigString != nil {
      report("declarative_config", "must not be set together with declarative_config_string")
    }
    if self.realIPHeader == "proxy_protocol", !self.proxyListen.contains(where: \.proxyProtocol) {
      report("real_ip_header", "is proxy_protocol, but no address of proxy_listen has the flag proxy_protocol")
    }
  }
}
