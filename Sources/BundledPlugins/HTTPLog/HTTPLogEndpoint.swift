import EntityModel
import Foundation

/// The URL of a log server as it is used: without query, its user info as a header. Source: Kong fact, bundled-16 §15.
struct HTTPLogEndpoint {
  /// Scheme, host, port and path; no secrets.
  let url: String
  /// Value of `Authorization` for the URL's user info.
  let authorization: String?

  struct Problem: Error {
    let reason: String
  }

  init(_ text: String) throws(Problem) {
    let parts = URLParts(text)
    guard let host = parts.host else { throw Problem(reason: "missing host in url") }
    guard let scheme = parts.scheme?.lowercased() else { throw Problem(reason: "missing scheme in url") }
    guard scheme == "http" || scheme == "https" else {
      throw Problem(reason: "entries are sent over http or https, not \(scheme)")
    }
    let port = parts.port ?? (scheme == "https" ? 443 : 80)
    guard (1...65535).contains(port) else { throw Problem(reason: "port \(port) is not between 1 and 65535") }
    let path = parts.path ?? "/"
    let url = "\(scheme)://\(host.contains(":") ? "[\(host)]" : host):\(port)\(path)"
    guard URL(string: url)?.host != nil, !url.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7f }) else {
      throw Problem(reason: "'\(url)' is not a valid URL")
    }
    self.url = url
    let authority = text.drop { $0 != "/" }.dropFirst(2).prefix { !"/?#".contains($0) }
    authorization = authority.lastIndex(of: "@").map { end in
      "Basic " + Data(authority[..<end].utf8).base64EncodedString()
    }
  }
}
