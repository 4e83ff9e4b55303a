/// The bodies that nginx gives to responses without one of their own.
enum NginxPages {
  /// Statuses whose body is made like that of the gateway's own errors.
  static let errorStatuses: Set<Int> = [400, 404, 405, 408, 411, 412, 413, 414, 417, 494, 500, 502, 503, 504]

  private static let titles = [
    301: "Moved Permanently", 302: "Found", 303: "See Other", 307: "Temporary Redirect", 308: "Permanent Redirect",
    401: "Authorization Required", 402: "Payment Required", 403: "Forbidden", 406: "Not Acceptable", 409: "Conflict",
    410: "Gone", 415: "Unsupported Media Type", 416: "Requested Range Not Satisfiable", 421: "Misdirected Request",
    429: "Too Many Requests", 501: "Not Implemented", 505: "HTTP Version Not Supported", 507: "Insufficient Storage",
  ]

  /// The page of a status; nil for one that has none.
  static func page(_ status: Int) -> String? {
    guard let name = titles[status] else { return nil }
    let title = "\(status) \(name)"
    return "<html>\r\n<head><title>\(title)</title></head>\r\n<body>\r\n<center><h1>\(title)</h1></center>\r\n"
      + "</body>\r\n</html>\r\n"
  }
}
