extension PluginDescription {
  /// The plugin where servers must be verified: `config.ssl_verify` cannot be false.
  ///
  /// Source: Kong fact, bundled-16, "`tls_certificate_verify`".
  public func verifyingServers() -> PluginDescription {
    guard let place = schema.fields.firstIndex(where: { $0.name == "config" }),
      case .record(var config) = schema.fields[place].schema.kind,
      let field = config.fields.firstIndex(where: { $0.name == "ssl_verify" })
    else { return self }
    config.fields[field].schema = config.fields[field].schema.checked(
      by: .custom("tls_certificate_verify") { value in
        value == .bool(false) ? "cannot be false while tls_certificate_verify is on" : nil
      })
    var description = self
    description.schema.fields[place].schema.kind = .record(config)
    return description
  }
}
