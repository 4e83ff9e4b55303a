/// What plugins ask of a TLS handshake in the certificate phase. Confined to the event loop of its connection.
public final class TLSHandshakeDemands {
  /// The client is asked for a certificate; the handshake goes on when it shows none.
  public var asksForCertificate = false
  /// PEM of the authorities whose names the client is told, so that it can choose a certificate.
  public var authorities: [String] = []
  /// The session cannot be resumed by a later connection.
  public var refusesResumption = false

  /// The handshake ends.
  public var isRefused = false

  public init() {}
}
