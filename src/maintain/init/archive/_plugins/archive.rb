# frozen_string_literal: true

require "set"

# What an archive needs beyond Jekyll's settings. Jekyll reads this file unless it is told `--safe`; without it the
# posts that feedmill wrote are built all the same, but one post of another maker with an unreadable date stops the
# build, posts outside `_posts` are plain pages, there is no page for each month, and ten thousand posts take minutes.

# Names and texts are UTF-8, whatever the locale of the machine says.
Encoding.default_external = Encoding::UTF_8

module Archive
  # Front matter that Jekyll would obey: a post has no say in how it is built.
  OBEYED = %w(layout permalink published render_with_liquid slug ext draft excerpt excerpt_separator category tag).freeze
  # What is read line by line from front matter that is not YAML.
  READ_BY_LINE = %w(title date author from tags categories lang).freeze

  # Every post can be read, whoever wrote it.
  module Readable
    private

    def read_content(**)
      text = File.read(path, :encoding => "bom|utf-8").scrub
      found = Jekyll::Document::YAML_FRONT_MATTER_REGEXP.match(text)
      self.content = found ? found.post_match : text
      merge_data!(found ? Archive.front_matter(found[1]) : {})
      day = relative_path.scan(%r!\d{4}-\d{2}-\d{2}!).last
      merge_data!({ "date" => day }, :source => "filename") if day && !data.key?("date")
    end

    # A date that is none gives way to the day in the name of file or folder, and that to the beginning of time.
    def merge_date!(source)
      super
    rescue Jekyll::Errors::InvalidDateError
      source == "filename" ? data["date"] = Time.at(0).utc : data.delete("date")
    end

    def read_post_data
      super
      data["date"] ||= Time.at(0).utc
      data["slug"] = "post" unless data["slug"].match?(%r!\p{L}|\p{M}|\p{Nd}!)
    end

    # `archived/2021-07-28/` is a folder, not two categories.
    def categories_from_path(_special_dir); end
  end

  # Markdown files below other folders than `_posts` are posts too.
  module Everywhere
    def retrieve_pages(dir, names)
      posts, pages = names.partition do |name|
        name.end_with?(".md") && (!dir.empty? || Jekyll::Document::DATE_FILENAME_MATCHER.match?(name))
      end
      super(dir, pages)
      posts.each do |name|
        post = Jekyll::Document.new(site.in_source_dir(dir, name), :site => site, :collection => site.posts)
        post.read
        site.posts.docs << post
      end
    end
  end

  # Each file once. Jekyll 4.3 looks for each in a list of all before it; 20,000 posts did not end in ten minutes.
  module Once
    def each_site_file
      seen = Set.new.compare_by_identity
      %w(pages static_files_to_write docs_to_write).each do |type|
        public_send(type).each { |item| yield item if seen.add?(item) }
      end
    end
  end

  def self.front_matter(text)
    front = Jekyll::Utils.safe_load_yaml(text)
    front = by_line(text) unless front.is_a?(Hash)
    tidy(front)
  rescue Psych::Exception
    tidy(by_line(text))
  end

  def self.by_line(text)
    lines = text.lines.map { |line| line.match(%r!\A(\w+):[ \t]*(.*?)\s*\z!) }
    lines.compact.to_h { |line| [line[1], plain(line[2])] }.slice(*READ_BY_LINE)
  end

  def self.plain(value)
    return value[1..-2].split(",").map { |part| plain(part.strip) } if value.match?(%r!\A\[.*\]\z!)

    value.match?(%r!\A".*"\z!) ? value[1..-2].gsub(%r!\\(.)!, '\1') : value
  end

  def self.tidy(front)
    front = front.transform_keys(&:to_s)
    front["categories"] = [front["categories"]].flatten.compact.map(&:to_s)
    front["tags"] = [front["tags"]].flatten.compact.map(&:to_s)
    front.reject { |key, _| OBEYED.include?(key) }
  end

  # No two posts at one address: of those that would share one, the later get a number.
  class Addresses < Jekyll::Generator
    priority :highest

    def generate(site)
      taken = site.pages.map { |page| page.url.downcase }.to_set
      site.posts.docs.each do |post|
        first = url = post.url
        number = 1
        url = "#{first.chomp("/")}-#{number += 1}/" until taken.add?(url.downcase)
        post.instance_variable_set(:@url, url)
      end
    end
  end

  # A page for each month, and the list of months for `index.html`.
  class Months < Jekyll::Generator
    def generate(site)
      months = site.posts.docs.group_by { |post| post.date.strftime("%Y/%m") }.sort.reverse
      pages = months.map { |month, posts| page(site, month, posts) }
      pages.each_cons(2) do |later, earlier|
        later.data["earlier"] = earlier.url
        earlier.data["later"] = later.url
      end
      site.pages.concat(pages)
      site.data["months"] = by_year(pages)
    end

    private

    def page(site, month, posts)
      page = Jekyll::PageWithoutAFile.new(site, site.source, month, "index.html")
      page.data.merge!("layout" => "month", "title" => month.tr("/", "-"), "posts" => posts.reverse)
      page
    end

    def by_year(pages)
      years = pages.group_by { |page| page.data["title"][0, 4] }
      years.map do |year, of_year|
        months = of_year.map do |page|
          { "url" => page.url, "title" => page.data["title"], "posts" => page.data["posts"].size }
        end
        { "year" => year, "months" => months }
      end
    end
  end
end

Jekyll::Document.prepend(Archive::Readable)
Jekyll::Reader.prepend(Archive::Everywhere)
Jekyll::Site.prepend(Archive::Once)
