
// Runs Verify of docs/webhooks.md, which stands above: a line in for each request, its fields in
// base64, and a line out for each, whether it was taken.
public class Program
{
    public static void Main()
    {
        for (var line = Console.ReadLine(); !string.IsNullOrEmpty(line); line = Console.ReadLine())
        {
            var fields = line.Split(',').Select(Convert.FromBase64String).ToArray();
            var texts = fields.Select(Encoding.UTF8.GetString).ToArray();
            Console.WriteLine(CtripWebhook.Verify(texts[0], fields[1], texts[2], texts[3], texts[4]) ? "taken" : "refused");
        }
    }
}
