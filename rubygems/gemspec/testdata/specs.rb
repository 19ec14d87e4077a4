# Writes specifications as this Ruby's RubyGems does: one JSON object a line with the YAML of metadata.gz and, in base64,
# what Marshal.dump makes of it. It is loaded by a gem command (RUBYOPT) and ends it.
require "base64"
require "json"
require "rubygems/package"
require "rubygems/specification"

def spec(name = "demo", version = "1.0")
  s = Gem::Specification.new do |g|
    g.name = name
    g.version = version
    g.summary = "About #{name}"
    g.authors = ["Ada"]
    g.files = []
    g.date = Time.utc(2026, 11, 20)
    yield g if block_given?
  end
  Gem.load_yaml if Gem.respond_to?(:load_yaml)
  # As it comes back from a gem, and so as an index is made of it.
  yaml = s.to_yaml
  back = Gem::Specification.from_yaml(yaml)
  puts JSON.generate("yaml" => yaml, "dump" => Base64.strict_encode64(Marshal.dump(back)), "full" => back.full_name,
                     "tuple" => Base64.strict_encode64(Marshal.dump([[back.name, back.version, back.original_platform.to_s]])))
end

spec
spec("rich", "1.10") do |g|
  g.description = "Long: text\nwith lines # and colon: x\n\n  indented\n"
  g.email = "ada@example.com"
  g.homepage = "https://example.com"
  g.licenses = ["MIT", "Apache-2.0"]
  g.metadata = { "source_code_uri" => "https://example.com/src", "a key" => "10", "empty" => "" }
  g.required_ruby_version = [">= 2.7", "< 3.4.dev"]
  g.required_rubygems_version = "> 1.3.1"
  g.add_runtime_dependency "rack", ">= 2.0", "< 4"
  g.add_runtime_dependency "zlib"
  g.add_development_dependency "rake", "~> 13.0"
  g.add_runtime_dependency "pre", ">= 1.0.a"
  g.requirements = ["a cup of tea"]
  g.post_install_message = "Thank you: for\ninstalling!"
  g.executables = ["demo"]
  g.files = (0...300).map { |i| "lib/some: file #{i} - [x].rb" }
end
spec("pre", "2.0.0.rc1") { |g| g.email = ["a@example.com", "b@example.com"]; g.authors = ["Ada", "Bö", "日本"] }
spec("texts", "1.0.0") do |g|
  g.summary = "it's \"quoted\" \\ and #odd: %x @y &z *w !v |u >t 'null' ~"
  g.description = "tab\there, é, \u2028, emoji \u{1F600}, trailing space \n" + "word " * 60
  g.authors = ["null", "true", "1.10", "0x10", "=", "- x", "", " lead", "1_000", "2026-01-01", ":sym", "y"]
  g.metadata = { "null" => "~", "1.0" => "yes", "x" => "line\nline\n" }
end
%w[java jruby x86_64-linux x86_64-linux-musl x86_64-linux-gnu aarch64-linux arm64-darwin-23 x86_64-darwin19 universal-darwin x86-mingw32 x64-mingw-ucrt x64-mingw32
   x86-mswin32-60 mswin32 i386-freebsd6 amd64-openbsd6.9 sparc-solaris2.8 powerpc-aix5 x86-cygwin arm-linux-gnueabihf arm-linux-eabi java-1.8 dotnet dalvik wasm32-wasi powerpc-darwin
   x86_64-netbsdelf pa-hpux11 riscv64-linux i586-linux x86_64-unknown].each do |p|
  spec("native", "1.0") { |g| g.platform = p }
end
exit!(0) if $stdout.flush
