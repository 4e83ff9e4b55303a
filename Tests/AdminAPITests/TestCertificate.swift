/// A self-signed certificate with its key, made for these tests alone; it is valid until 2126.
enum TestCertificate {
  static let key = """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg6AYSnL13eGXWhVw2
    MqV8Qr/zwwMWuJ7dZv9w2zoY1GGhRANCAAQ+5T64A+40qs96u7BY8UmY4B0bbrlz
    Mwz5aFRVHWhysZ43NYGc5lMe7HnIVXq4WnZjDAqXsovsTCEDYpWdE4q8
    -----END PRIVATE KEY-----
    """

  static let certificate = """
    -----BEGIN CERTIFICATE-----
    MIIBjDCCATGgAwIBAgIUQikmWZa7kjzzVyCDEVL6Wj6Qxf8wCgYIKoZIzj0EAwIw
    GjEYMBYGA1UEAwwPc25pLmV4YW1wbGUuY29tMCAXDTI2MTEyMjIxNDYyMFoYDzIx
    MjYxMDI5MjE0NjIwWjAaMRgwFgYDVQQDDA9zbmkuZXhhbXBsZS5jb20wWTATBgcq
    hkjOPQIBBggqhkjOPQMBBwNCAAQ+5T64A+40qs96u7BY8UmY4B0bbrlzMwz5aFRV
    HWhysZ43NYGc5lMe7HnIVXq4WnZjDAqXsovsTCEDYpWdE4q8o1MwUTAdBgNVHQ4E
    FgQUvjEDc4THj7Iyn4K0xrDLEAOOAI4wHwYDVR0jBBgwFoAUvjEDc4THj7Iyn4K0
    xrDLEAOOAI4wDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEAppQB
    bj6CZf0R6MzXWO0z5/zGKN5TK5mnrv6PgbB8+UgCIQCTOnfTg95mLnkgvBRLhUQL
    9dt0bgGae7yIck22ruy/iA==
    -----END CERTIFICATE-----
    """
}
