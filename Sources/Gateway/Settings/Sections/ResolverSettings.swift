/// How names of upstreams become addresses.
public struct ResolverSettings: SettingSection {
  static let title = "DNS"

  public let dnsResolver = Setting(
    "dns_resolver", .nameServers, "Name servers to ask. If unset, those of the system.")

  public let dnsHostsFile = Setting(
    "dns_hostsfile", .path, default: "/etc/hosts", "File of fixed names, read at start.")

  public let dnsValidTTL = Setting(
    "dns_valid_ttl", SettingKind.seconds.orUnset(), unit: "seconds",
    "How long an answer is used, whatever its own lifetime says.")

  public let dnsStaleTTL = Setting(
    "dns_stale_ttl", .seconds, default: "3600", unit: "seconds",
    "How long an answer may be used beyond its lifetime while a new one is fetched.")

  public let dnsNotFoundTTL = Setting(
    "dns_not_found_ttl", .seconds, default: "30", unit: "seconds", "How long a name is remembered as unknown.")

  public let dnsErrorTTL = Setting(
    "dns_error_ttl", .seconds, default: "1", unit: "seconds", "How long a failed look-up is remembered.")
}
