package seed;

/** Something to compile, document and pack. */
public class Lib {
  /** Nothing to configure. */
  public Lib() {}
}
