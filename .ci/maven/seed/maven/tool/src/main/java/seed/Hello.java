package seed;

import org.apache.maven.plugin.AbstractMojo;
import org.apache.maven.plugins.annotations.Mojo;

/** Says hello. */
@Mojo(name = "hello", requiresProject = false)
public class Hello extends AbstractMojo {
  /** Nothing to configure. */
  public Hello() {}

  @Override
  public void execute() {
    getLog().info("hello");
  }
}
